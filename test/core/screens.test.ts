import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { setOutputSearch } from '../../src/services/output.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { call, person, plan } from '../support/calls.ts';
import { begunRun, claimed, completed, pieces, runnerOf } from '../support/runners.ts';
import { endedRun, found, switched, untilWaits } from '../support/screens.ts';
import { test } from '../support/world.ts';

describe('what a run printed', () => {
  test('is not found until the workspace says so, and not of runs before', async ({ as }) => {
    await endedRun(as('ada'), ['quokka\n']);
    expect(await found(as('ada'), 'quokka')).toEqual([]);
    expect(await setOutputSearch(person(as('ada')), {})).toEqual({ enabled: false });

    expect(await switched(as('ada'), true)).toEqual({ enabled: true });

    expect(await setOutputSearch(person(as('ada')), {})).toEqual({ enabled: true });
    expect(await found(as('ada'), 'quokka')).toEqual([]);
    await endedRun(as('ada'), ['quokka\n'], 'egret-1');
    expect(await found(as('ada'), 'quokka')).toMatchObject([{ by: 'egret-1' }]);
  });

  test('is found with its run, agent, task, command, an excerpt, and how to read on', async ({ as }) => {
    await switched(as('ada'), true);
    await plan(as('ada'), [{ title: 'Build the nest' }]);
    const runner = await runnerOf(as('ada'), 'heron-1');
    await call(as('ada'), 'send_command', { to: ['heron-1'], content: 'Gather twigs\nand moss', task: 'web-1' });
    const { run, lock_token } = await claimed(runner);
    await runner.add(run.id, lock_token, pieces(['The quokka ', 'was refused.\n']));
    expect(await found(as('ada'), 'quokka')).toEqual([]);

    await runner.report(run.id, lock_token, [completed]);

    const hit = {
      kind: 'output',
      id: run.id,
      ref: 'web-1',
      title: 'heron-1: Gather twigs and moss',
      by: 'heron-1',
      snippet: 'The **quokka** was refused.',
      read_on: `cairn output ${run.id}`,
    };
    expect(await found(as('ada'), 'quokka the')).toMatchObject([hit]);
    expect(await found(as('ada'), 'quokka', { project: 'web', kinds: ['output'] })).toMatchObject([hit]);
    expect(await found(as('ada'), 'quokka', { kinds: ['event', 'task'] })).toEqual([]);
  });

  test('is told to an agent with the tool that reads on', async ({ as }) => {
    await switched(as('ada'), true);
    const { run } = await endedRun(as('ada'), ['quokka\n']);

    const { text } = await callTool(as('ada'), toolNamed('search'), { query: 'quokka' });

    expect(text).toContain(`All of it: get_output run:${run}`);
  });

  test('is searched as plain text, its end alone', async ({ as }) => {
    await switched(as('ada'), true);
    await endedRun(as('ada'), [
      'wombat\n',
      ...Array<string>(5).fill(`${'\x1b[1mx\x1b[0m '.repeat(1_500)}\n`),
      'quo\x1b[31mk',
      'ka\x1b[0m \x1b]0;dingo\x07emu\x1b]0;never ended\nkoala 10%\rpotoroo 100%\n\x9b2Jbilby\u202e\x07\n',
    ]);

    expect(await found(as('ada'), 'quokka')).toMatchObject([
      { snippet: expect.stringMatching(/\*\*quokka\*\* emu koala 10% potoroo 100% bilby$/) },
    ]);
    for (const word of ['emu', 'koala', 'potoroo', 'bilby']) expect(await found(as('ada'), word)).toHaveLength(1);
    for (const word of ['wombat', 'dingo', '31mk']) expect([word, await found(as('ada'), word)]).toEqual([word, []]);
  });

  test('that has nothing to read is not kept', async ({ as, sql }) => {
    await switched(as('ada'), true);
    await endedRun(as('ada'), ['\x1b[2J\n ']);
    await endedRun(as('ada'), [], 'egret-1');
    const { id } = await call(as('ada'), 'send_command', { to: ['egret-1'], content: 'Wait.' });
    await call(person(as('ada')), 'cancel_command', { command: id });

    const kept = 'select from app.run_screens where tenant_id = $1';
    expect((await sql.query(kept, [as('ada').actor.tenant_id])).rows).toEqual([]);
  });

  test('is of the latest attempt, and found also where it comes after the end', async ({ as }) => {
    await switched(as('ada'), true);
    const { runner, run, add } = await begunRun(as('ada'));
    await add(pieces(['wombat\n']));
    const { lock_token } = await claimed(runner);
    await runner.report(run, lock_token, [completed]);
    expect(await found(as('ada'), 'wombat')).toEqual([]);

    await runner.add(run, lock_token, pieces(['quokka\n']));
    await runner.add(run, lock_token, pieces(['dingo\n'], { from: 1 }));

    expect(await found(as('ada'), 'quokka dingo')).toMatchObject([{ id: run }]);
  });

  test.for(['output', 'end'] as const)(
    'is found where output and end come at one moment, first the %s',
    async (first, { as, sql }) => {
      await switched(as('ada'), true);
      const { run, lock_token } = await begunRun(as('ada'));
      const { actor } = as('ada');
      const output = [`select public.add_output($1, $2, $3, actor => $4)`, JSON.stringify(pieces(['quokka']))] as const;
      const end = [`select public.report_run($1, $2, $3, $4)`, JSON.stringify([completed])] as const;
      const [[one, given], [other, later]] = first === 'output' ? [output, end] : [end, output];
      const client = await sql.connect();
      try {
        await client.query('begin');
        await client.query(one, [run, lock_token, given, actor]);
        const second = sql.query(other, [run, lock_token, later, actor]);
        await untilWaits(client);
        await client.query('commit');
        await second;
      } finally {
        client.release();
      }

      expect(await found(as('ada'), 'quokka')).toMatchObject([{ id: run }]);
    },
  );
});

describe('who searches', () => {
  test('needs the right to read output', async ({ as }) => {
    await switched(as('ada'), true);
    await endedRun(as('ada'), ['quokka\n']);
    await plan(as('ada'), [{ title: 'Feed the quokka' }]);
    const without: Context = { ...as('ada'), scopes: new Set(['projects:read', 'tasks:read']) };
    const only: Context = { ...as('ada'), scopes: new Set(['projects:read', 'agents:read']) };

    expect((await found(as('ada'), 'quokka')).map(({ kind }) => kind).sort()).toEqual(['output', 'task']);
    expect(await found(without, 'quokka')).toMatchObject([{ kind: 'task' }]);
    expect(await found(without, 'quokka', { kinds: ['output', 'task'] })).toMatchObject([{ kind: 'task' }]);
    await expect(found(without, 'quokka', { kinds: ['output'] })).rejects.toMatchObject({
      code: 'insufficient_scope',
      details: { scope: 'agents:read' },
    });
    expect(await found(only, 'quokka')).toMatchObject([{ kind: 'output' }]);
  });

  test('with a token for one project finds the runs of that project alone', async ({ as }) => {
    await switched(as('ada'), true);
    await plan(as('ada'), [{ title: 'A' }]);
    const { id } = await call(as('ada'), 'create_project', { slug: 'zoo', name: 'Zoo' });
    await call(as('ada'), 'create_tasks', { project: 'zoo', tasks: [{ title: 'B' }] });
    await endedRun(as('ada'), ['quokka of none\n']);
    for (const task of ['web-1', 'zoo-1']) {
      const runner = await runnerOf(as('ada'), `heron-${task}`);
      await call(as('ada'), 'send_command', { to: [runner.name], content: 'x', task });
      const { run, lock_token } = await claimed(runner);
      await runner.add(run.id, lock_token, pieces([`quokka of ${task}\n`]));
      await runner.report(run.id, lock_token, [completed]);
    }
    const limited: Context = { ...as('ada'), actor: { ...as('ada').actor, project_id: id } };

    expect(await found(as('ada'), 'quokka')).toHaveLength(3);
    expect(await found(limited, 'quokka')).toMatchObject([{ ref: 'zoo-1' }]);
  });
});
