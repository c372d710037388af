import { readdir, readFile } from 'node:fs/promises';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, test } from 'vitest';
import { withGenerated } from '../../scripts/schema/generated-part.ts';
import type { Scope } from '../../src/context.ts';
import { DEFAULT_TOOLS, SCOPES, scopeWords, selectTools, TOOLSETS } from '../../src/tools/catalog.ts';
import { argumentsInFull, jsonSchemas } from '../../src/tools/json-schema.ts';
import type { Tool } from '../../src/tools/tool.ts';
import { scopeTable, toolsetPage, toolsetTable } from '../support/tool-docs.ts';

const ALL = selectTools(['all']);
const TOP_LEVEL_COMBINATORS = ['anyOf', 'oneOf', 'allOf', 'not', 'if', '$ref'];

type Node = { type?: string; [keyword: string]: unknown };

/** Every schema within a schema, with its path. */
function nodes(node: Node, path = '$'): [string, Node][] {
  const children = Object.entries((node['properties'] ?? {}) as Record<string, Node>);
  const items = node['items'] === undefined ? [] : nodes(node['items'] as Node, `${path}[]`);
  return [[path, node], ...children.flatMap(([name, child]) => nodes(child, `${path}.${name}`)), ...items];
}

function shownToModels(tools: readonly Tool[]): string {
  return JSON.stringify(
    tools.map((tool) => ({ name: tool.name, description: tool.description, inputSchema: jsonSchemas(tool).input })),
  );
}

describe.each(ALL)('the tool $name', (tool) => {
  const { input, output } = jsonSchemas(tool);

  test('has a name, title, description, scope and all four annotations', () => {
    expect(tool.name).toMatch(/^[a-z][a-z0-9_]{0,40}$/);
    expect(tool.title).not.toBe('');
    expect(tool.description).toMatch(/^[A-Z].{10,600}\.$/s);
    expect(tool.scope).toMatch(/^(projects|tasks):(read|write)$|^agents:(read|send|run)$|^admin$/);
    expect(Object.values(tool.annotations)).toEqual(Array.from({ length: 4 }, () => expect.any(Boolean)));
    expect(tool.annotations.readOnlyHint).toBe(tool.effect === 'read');
  });

  test('takes an object of bounded strings and lists, and nothing else', () => {
    expect(input).toMatchObject({ type: 'object', additionalProperties: false });
    for (const keyword of TOP_LEVEL_COMBINATORS) expect(input).not.toHaveProperty(keyword);
    for (const [path, node] of nodes(argumentsInFull(tool))) {
      if (node.type === 'string') expect(node['maxLength'] ?? node['enum'] ?? node['pattern'], path).toBeDefined();
      if (node.type === 'array') expect(node['maxItems'], path).toBeDefined();
    }
  });

  test('tells models the same arguments, without the sizes that a refusal names', () => {
    const named = (node: Node) =>
      nodes(node).map(([path, { type, enum: values, description }]) => ({ path, type, values, description }));

    expect(named(input)).toEqual(named(argumentsInFull(tool)));
    expect(JSON.stringify(input)).not.toMatch(/"(min|max)(Length|Items)":/);
  });

  test('takes an idempotency_key when a repetition would do more', () => {
    const repeatable = tool.effect === 'read' || tool.idempotent === true;

    expect('idempotency_key' in tool.input.shape).toBe(!repeatable);
  });

  test('answers with an object', () => {
    expect(output).toMatchObject({ type: 'object', properties: expect.any(Object) });
  });

  test('is shown as it was reviewed', async () => {
    const { name, title, description, annotations } = tool;
    const snapshot = { name, title, description, annotations, inputSchema: input, outputSchema: output };

    await expect(`${JSON.stringify(snapshot, null, 2)}\n`).toMatchFileSnapshot(`__snapshots__/tools/${name}.json`);
  });
});

describe('the catalog', () => {
  test('names each tool once', () => {
    const names = TOOLSETS.flatMap(({ tools }) => tools.map(({ name }) => name));

    expect(new Set(names).size).toBe(names.length);
  });

  test('shows by default what an agent needs every day, in under 3,000 tokens', () => {
    const tools = selectTools(['default']);

    expect(tools.map(({ name }) => name)).toEqual(DEFAULT_TOOLS);
    expect(encode(shownToModels(tools)).length).toBeLessThan(3_000);
  });

  test('adds toolsets by name, each tool once', () => {
    const names = selectTools(['default', 'projects', 'history']).map(({ name }) => name);

    expect(names).toEqual([...DEFAULT_TOOLS, 'get_project', 'archive_project', 'unarchive_project', 'get_state']);
  });

  test('offers only reads when read-only, whatever is named', () => {
    const tools = selectTools(['all'], { readOnly: true });

    expect(tools.length).toBeGreaterThan(5);
    expect(tools.every(({ effect }) => effect === 'read')).toBe(true);
  });

  test('refuses a toolset that there is not', () => {
    expect(() => selectTools(['default', 'nope'])).toThrow(expect.objectContaining({ code: 'invalid_input' }));
  });

  test.each(TOOLSETS)('documents the toolset $name', async (toolset) => {
    await expect(toolsetPage(toolset)).toMatchFileSnapshot(`../../docs/tools/${toolset.name}.md`);
  });

  test('is listed in README', async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');

    await expect(withGenerated(readme, toolsetTable(TOOLSETS))).toMatchFileSnapshot('../../README.md');
  });

  test('is allowed by a scope that is listed with its words, as the consent page says them', async () => {
    const page = await readFile(new URL('../../docs/auth.md', import.meta.url), 'utf8');

    await expect(withGenerated(page, scopeTable())).toMatchFileSnapshot('../../docs/auth.md');
    expect(ALL.filter(({ scope }) => !SCOPES.includes(scope))).toEqual([]);
  });

  test('is explained in the same words by every toolset that declares its scope', () => {
    for (const { name, scopes } of TOOLSETS) {
      for (const [scope, words] of Object.entries(scopes)) {
        expect([name, scope, words]).toEqual([name, scope, scopeWords(scope as Scope)]);
      }
    }
  });
});

test('no page and no snapshot is left of a tool that is gone', async () => {
  // Those of a new tool are written when all tests have run.
  const leftIn = async (path: string, files: string[]) =>
    (await readdir(new URL(path, import.meta.url))).filter((name) => !files.includes(name));

  const pages = TOOLSETS.map(({ name }) => `${name}.md`);
  expect(await leftIn('../../docs/tools/', pages)).toEqual([]);
  const snapshots = ALL.map(({ name }) => `${name}.json`);
  expect(await leftIn('__snapshots__/tools/', snapshots)).toEqual([]);
});
