import { expect, test } from 'vitest';
import { INSTRUCTIONS, instructionsFor } from '../../src/server/mcp/instructions.ts';
import { selectTools, TOOLSETS } from '../../src/tools/catalog.ts';

test('the instructions of the usual tools are whole', () => {
  expect(instructionsFor(selectTools(['default']))).toBe(INSTRUCTIONS);
});

test.each([...TOOLSETS.map(({ name }) => [name, false] as const), ['all', true] as const])(
  'those of the toolset %s alone (read-only: %s) name only tools that are offered',
  (toolset, readOnly) => {
    const offered = selectTools([toolset], { readOnly }).map(({ name }) => name);
    const others = selectTools(['all']).filter(({ name }) => !offered.includes(name));

    const said = instructionsFor(offered.map((name) => ({ name })));

    expect(others.filter(({ name }) => new RegExp(`\\b${name}\\b`).test(said))).toEqual([]);
    expect(said).toMatch(/^Cairn is the memory that agents share/);
    expect([...said.matchAll(/^(\d+)\. /gm)].map(([, step]) => Number(step))).toEqual(
      [...said.matchAll(/^\d+\. /gm)].map((_, at) => at + 1),
    );
    expect(said).not.toMatch(/\n{3}|The loop:\n\n/);
  },
);
