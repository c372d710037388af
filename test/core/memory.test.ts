import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { call, person } from '../support/calls.ts';
import { append, createProject, exportAll, importAll, record, redact, replay, verify } from '../support/commands.ts';
import { age, recalled, remember, texts } from '../support/remembering.ts';
import { begunRun, claimed, completed, runnerOf } from '../support/runners.ts';
import { test } from '../support/world.ts';

describe('a memory', () => {
  test('names who noted it, its run, its source and its age', async ({ as }) => {
    await createProject(as('ada'));
    const { run } = await begunRun(as('ada'), 'claude-1');
    const { seq } = await record(as('ada'), {
      stream: 'project:web',
      type: 'project.noted',
      data: { text: 'Port is 8443.', kind: 'note' },
    });

    await remember(as('claude-1'), { key: 'port', text: '8443', source: seq, confidence: 0.9 });

    const [found] = (await recalled(as('ada'))).memories;
    expect(found).toMatchObject({
      ...{ scope: 'project', kind: 'fact', key: 'port', text: '8443', confidence: 0.9, status: 'noted' },
      ...{ noted_by: 'claude-1', run, source: seq, age_days: 0, project: 'web' },
    });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is superseded by a newer one of its key, in any case, and both are shown', async ({ as }) => {
    await createProject(as('ada'));
    const first = await remember(as('ada'), { key: 'port', text: '8080' });
    const second = await remember(as('bob'), { key: 'Port', text: '8443' });

    expect(second).toMatchObject({ supersedes: { id: first.id, text: '8080', noted_by: 'ada' } });
    expect(await recalled(as('eve'))).toMatchObject({ memories: [{ text: '8443', supersedes: { text: '8080' } }] });
    expect(await recalled(as('eve'), { include_all: true })).toMatchObject({
      memories: [{ text: '8443' }, { text: '8080', superseded_by: second.id }],
    });
    const { hits } = (await call(as('eve'), 'search', { query: '8080' })) as never as { hits: object[] };
    expect(hits).toMatchObject([{ kind: 'memory', title: 'fact port (superseded)', by: 'ada' }]);
    const { text } = await callTool(as('eve'), toolNamed('recall'), { project: 'web' });
    expect(text).toContain('fact Port: "8443", noted by bob, today, instead of "8080" by ada, today');
    await replay(as('ada'));
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('of one key is one, also when twenty note it at once', async ({ as }) => {
    await createProject(as('ada'));

    await Promise.all(Array.from({ length: 20 }, (_, at) => remember(as(`a${at}`), { key: 'port', text: `${at}` })));

    expect((await recalled(as('ada'))).memories).toHaveLength(1);
    expect((await recalled(as('ada'), { include_all: true })).memories).toHaveLength(20);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is for its scope: the run, the agent, the project or the workspace', async ({ as }) => {
    await createProject(as('ada'));
    await createProject(as('ada'), { slug: 'zoo' });
    const runner = await runnerOf(as('ada'), 'claude-1');
    await runnerOf(as('ada'), 'claude-2');
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'x' });
    const { run, lock_token } = await claimed(runner);
    const note = (scope: string) =>
      call(as('claude-1'), 'remember', {
        key: 'k',
        text: `of the ${scope}`,
        scope,
        ...(scope === 'project' && { project: 'web' }),
      });
    for (const scope of ['workspace', 'project', 'agent', 'run']) await note(scope);

    expect(texts(await recalled(as('claude-1')))).toEqual([
      ...['of the run', 'of the agent', 'of the project', 'of the workspace'],
    ]);
    expect(texts(await recalled(as('claude-2')))).toEqual(['of the project', 'of the workspace']);
    expect(texts(await recalled(as('claude-2'), { project: 'zoo' }))).toEqual(['of the workspace']);
    expect(texts(await recalled(as('claude-1'), { scope: 'agent' }))).toEqual(['of the agent']);
    await runner.report(run.id, lock_token, [completed]);
    expect(texts(await recalled(as('claude-1')))).not.toContain('of the run');
    expect(texts(await recalled(as('claude-2'), { include_all: true }))).toHaveLength(4);
  });

  test('is for no run, agent or project that is not there, and for no project and all', async ({ as, asStranger }) => {
    await createProject(as('ada'));
    await createProject(as('ada'), { slug: 'zoo' });
    const { run } = await begunRun(as('ada'), 'claude-1');
    await call(as('ada'), 'create_tasks', { project: 'web', tasks: [{ title: 'x' }] });
    const refused: [ctx: Context, about: object, code: string][] = [
      [as('ada'), { scope: 'run' }, 'invalid_input'],
      [as('ada'), { scope: 'agent' }, 'invalid_input'],
      [as('ada'), { scope: 'project' }, 'invalid_input'],
      [as('ada'), { scope: 'workspace', project: 'web' }, 'invalid_input'],
      [as('ada'), { scope: 'workspace', task: 'web-1' }, 'invalid_input'],
      [as('ada'), { scope: 'run', run: newId() }, 'not_found'],
      [asStranger('eve'), { scope: 'run', run }, 'not_found'],
      [as('ada'), { scope: 'agent', source: 99_999 }, 'not_found'],
    ];

    for (const [ctx, about, code] of refused) {
      const data = { key: 'x', text: 'x', ...about };
      const event = { stream: `memory:${newId()}`, type: 'memory.remembered', data };
      await expect(record(ctx, event), JSON.stringify(about)).rejects.toMatchObject({ code });
    }
  });

  test('of the workspace is noted by no token of one project', async ({ as }) => {
    const project_id = await createProject(as('ada'));
    const limited = { ...as('ada'), actor: { ...as('ada').actor, project_id } };

    const refused = call(limited, 'remember', { key: 'x', text: 'x', scope: 'workspace' });

    await expect(refused).rejects.toMatchObject({ code: 'forbidden' });
    await call(limited, 'remember', { key: 'x', text: 'of the project' });
    expect(texts(await recalled(as('bob')))).toEqual(['of the project']);
  });

  test('has a confidence from 0 to 1, less by itself when it is a hypothesis', async ({ as }) => {
    await createProject(as('ada'));
    const note = (confidence: number) =>
      record(as('ada'), {
        stream: `memory:${newId()}`,
        type: 'memory.remembered',
        data: { scope: 'project', key: 'x', text: 'x', project: 'web', confidence },
      });

    await expect(note(1.5)).rejects.toMatchObject({ code: 'invalid_input', details: { field: 'confidence' } });
    await expect(note(-0.5)).rejects.toMatchObject({ code: 'invalid_input' });
    expect(await remember(as('ada'), { key: 'a', text: 'x', kind: 'hypothesis' })).toMatchObject({ confidence: 0.5 });
    expect(await remember(as('ada'), { key: 'b', text: 'x' })).toMatchObject({ confidence: 0.8 });
  });

  test('that has expired is not given, and found', async ({ as, sql }) => {
    await createProject(as('ada'));
    const { id } = await remember(as('ada'), { key: 'branch', text: 'The branch is frozen.', ttl_seconds: 3_600 });
    expect(texts(await recalled(as('ada')))).toHaveLength(1);

    await age(sql, { id: id, days: 1 });

    expect(await recalled(as('ada'))).toEqual({ memories: [] });
    expect(await recalled(as('ada'), { include_all: true })).toMatchObject({ memories: [{ is_expired: true }] });
    const { hits } = (await call(as('ada'), 'search', { query: 'frozen' })) as never as { hits: object[] };
    expect(hits).toMatchObject([{ title: 'fact branch (expired)' }]);
  });

  test('that has expired leaves its place to the one before of its key that has not', async ({ as, sql }) => {
    await createProject(as('ada'));
    await remember(as('ada'), { key: 'port', text: '8080' });
    const ids: string[] = [];
    for (const text of ['8443', '9000']) {
      ids.push((await remember(as('ada'), { key: 'port', text, ttl_seconds: 3_600 })).id as string);
    }
    expect(texts(await recalled(as('ada')))).toEqual(['9000']);

    await age(sql, { id: ids[1] as string, days: 1 });
    expect(texts(await recalled(as('ada')))).toEqual(['8443']);
    await age(sql, { id: ids[0] as string, days: 1 });
    expect(texts(await recalled(as('ada')))).toEqual(['8080']);
  });

  test('is one of a thousand for each project', { timeout: 60_000 }, async ({ as }) => {
    await createProject(as('ada'));
    const note = (key: string) => ({
      ...{ stream: `memory:${newId()}`, type: 'memory.remembered' },
      data: { scope: 'project', key, text: 'x', project: 'web' },
    });
    for (let page = 0; page < 5; page += 1) {
      await append(
        as('ada'),
        Array.from({ length: 200 }, (_, at) => note(`${page}-${at}`)),
      );
    }

    await expect(record(as('ada'), note('more'))).rejects.toMatchObject({ code: 'rate_limited' });
    await record(as('ada'), note('0-0'));
  });

  test('is kept by export and import, and blanked by redaction', async ({ as, asStranger }) => {
    await createProject(as('ada'));
    await remember(as('ada'), { key: 'port', text: '8080' });
    await remember(as('ada'), { key: 'port', text: '8443' });
    await importAll(asStranger('eve'), await exportAll(as('ada')));
    expect(texts(await recalled(asStranger('eve')))).toEqual(['8443']);

    const events = (await exportAll(as('ada'))).filter(({ event_type }) => event_type === 'memory.remembered');
    for (const { seq } of events) await redact(person(as('ada')), seq);

    expect(texts(await recalled(as('ada')))).toEqual(['[redacted]']);
    await replay(as('ada'));
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });
});
