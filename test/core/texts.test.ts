import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { DomainError } from '../../src/errors.ts';
import { call, plan, take } from '../support/calls.ts';
import { test } from '../support/world.ts';
import { upTo } from '../support/writers.ts';

const AGENTS = 8;
const LINES = 10;

type Text = { description?: string; version: number };

/** A text that agents append to: how it is read, and the tool that changes it. */
type Place = { read(ctx: Context): Promise<Text>; tool: string; named: object };

const TASK: Place = {
  read: async (ctx) => (await call(ctx, 'get_task', { task: 'web-1' })) as Text,
  tool: 'update_task',
  named: { task: 'web-1' },
};
const PROJECT: Place = {
  async read(ctx) {
    const found = (await call(ctx, 'get_project', { project: 'web' })) as unknown as { project: Text };
    return found.project;
  },
  tool: 'update_project',
  named: { project: 'web' },
};

/** Reads the text, appends a line and writes it back, as often as it takes. Answers with how often it was refused. */
async function appendLine(
  ctx: Context,
  { read, tool, named }: Place,
  [line, blind]: [string, boolean],
): Promise<number> {
  let refused = 0;
  let now = await read(ctx);
  let known = !blind;
  for (;;) {
    const description = `${now.description ?? ''}${line}\n`;
    const input = { ...named, description, ...(known && { expected_version: now.version }) };
    try {
      await call(ctx, tool, input);
      return refused;
    } catch (error) {
      const { code, details } = error as DomainError;
      expect(code).toBe('version_conflict');
      now = details as Text;
      known = true;
      refused += 1;
    }
  }
}

describe('a text that eight agents append to at once', () => {
  test.for([
    ['of a task, who name the version that they read', TASK, false],
    ['of a task, who name none at first', TASK, true],
    ['of a project, who name none at first', PROJECT, true],
  ] as const)('%s, loses no line that was acknowledged', { timeout: 60_000 }, async ([, place, blind], { as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    // Setting a text for the first time overwrites no other change.
    await call(as('ada'), place.tool, {
      ...place.named,
      description: '0 0\n',
      ...(place === TASK && { expected_version: 1 }),
    });

    const refused = await Promise.all(
      upTo(AGENTS).map(async (agent) => {
        let count = 0;
        for (const at of upTo(LINES)) count += await appendLine(as(`agent-${agent}`), place, [`${agent} ${at}`, blind]);
        return count;
      }),
    );

    const { description } = await place.read(as('ada'));
    const [, ...lines] = (description ?? '').trim().split('\n');
    expect(new Set(lines)).toEqual(new Set(upTo(AGENTS).flatMap((agent) => upTo(LINES).map((at) => `${agent} ${at}`))));
    expect(lines).toHaveLength(AGENTS * LINES);
    expect(refused.every((count) => count > 0)).toBe(true);
  });
});

test('the rules of a project are not replaced blindly', async ({ as }) => {
  const gates = [{ on: 'complete', require: { artifacts: ['pr'] } }];
  await plan(as('ada'), []);
  await call(as('ada'), 'update_project', { project: 'web', rules: { gates } });
  const change = { project: 'web', rules: { scope: { paths: ['src/**'] } } };

  await expect(call(as('bob'), 'update_project', change)).rejects.toMatchObject({
    code: 'version_conflict',
    details: { version: 2, rules: { gates } },
  });
  expect(await call(as('bob'), 'update_project', { ...change, expected_version: 2 })).toMatchObject({ version: 3 });
});

describe('the text of a task that one does not hold', () => {
  test.for([{ title: 'B' }, { description: 'B' }, { acceptance_criteria: ['B'] }, { constraints: { files_max: 2 } }])(
    '%j is not written over blindly: the refusal shows what stands there',
    async (text, { as }) => {
      const constraints = { files_max: 1 };
      const stands = { title: 'A', description: 'As it was.', acceptance_criteria: ['It is.'], constraints };
      await plan(as('ada'), [stands]);

      await expect(call(as('bob'), 'update_task', { task: 'web-1', ...text })).rejects.toMatchObject({
        code: 'version_conflict',
        message: 'You do not hold task web-1: say on which version of its text yours is based.',
        hint: expect.stringContaining('expected_version 1'),
        details: { version: 1, ...stands },
      });
      await call(as('bob'), 'update_task', { task: 'web-1', ...text, expected_version: 1 });
      await expect(
        call(as('eve'), 'update_task', { task: 'web-1', ...text, expected_version: 1 }),
      ).rejects.toMatchObject({
        code: 'version_conflict',
        details: { version: 2, ...stands, ...text },
      });
    },
  );

  test.for([[['b']], [['A']], [[]]])('nor are its labels, where there are any, by %j', async ([labels], { as }) => {
    await plan(as('ada'), [{ title: 'A', labels: ['a'] }]);

    await expect(call(as('bob'), 'update_task', { task: 'web-1', labels })).rejects.toMatchObject({
      code: 'version_conflict',
      message: 'You do not hold task web-1: say on which version of its labels yours is based.',
      hint: expect.stringContaining('expected_version 1'),
      details: { version: 1, title: 'A', labels: ['a'] },
    });
    await call(as('bob'), 'update_task', { task: 'web-1', labels: ['a', 'b'], expected_version: 1 });
    await expect(
      call(as('eve'), 'update_task', { task: 'web-1', labels: ['a', 'c'], expected_version: 1 }),
    ).rejects.toMatchObject({ code: 'version_conflict', details: { version: 2, labels: ['a', 'b'] } });
  });

  test('may get labels where there are none, and its holder replaces them', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);

    await call(as('bob'), 'update_task', { task: 'web-1', labels: ['a'] });
    const { task } = await call(as('ada'), 'update_task', { ...(await take(as('ada'), 'web-1')), labels: ['b'] });

    expect(task).toMatchObject({ labels: ['b'] });
  });

  test('is changed by its holder without a version, and by nobody else', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const held = await take(as('ada'), 'web-1');

    await call(as('ada'), 'update_task', { ...held, description: 'Mine.' });

    await expect(
      call(as('bob'), 'update_task', { task: 'web-1', title: 'B', expected_version: 3 }),
    ).rejects.toMatchObject({ code: 'lock_held' });
  });

  test('may be left alone: priority, dependencies and status ask for no version', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }]);

    await call(as('bob'), 'update_task', { task: 'web-2', priority: 'high', add_dependencies: ['web-1'] });
    const { task } = await call(as('bob'), 'update_task', { task: 'web-2', status: 'blocked', reason: 'Wait.' });

    expect(task).toMatchObject({ status: 'blocked', priority: 'high' });
  });
});
