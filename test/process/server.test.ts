import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { stopServer } from '../../src/db/embedded/shared-server.ts';
import { type Agent, CLIENT_KINDS, type ClientKind, connect, spawnRaw } from '../support/client.ts';
import { seedDataDir } from '../support/data-dir.ts';

let dataDir: string;
let flags: string[];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cairn-stdio-'));
  await seedDataDir(dataDir);
  flags = ['--data-dir', dataDir];
});

afterAll(async () => {
  await stopServer({ dataDir });
  await rm(dataDir, { recursive: true, force: true });
});

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 'hello',
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
});

function callLine(id: number | string, name: string, args: Record<string, unknown>): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } });
}

/** A slug of its own for each kind of client, for they share the database. */
function slugOf(kind: ClientKind): string {
  return `p${CLIENT_KINDS.indexOf(kind) + 1}`;
}

describe.each(CLIENT_KINDS)('over stdio, the %s', (kind) => {
  const slug = slugOf(kind);
  let planner: Agent;
  let worker: Agent;

  beforeAll(async () => {
    planner = await connect(kind, 'planner', flags);
    worker = await connect(kind, 'work er', flags);
  });
  afterAll(async () => {
    await Promise.all([planner?.close(), worker?.close()]);
  });

  test('sees the default toolset and is told how to use it', async () => {
    expect((await planner.listTools()).map(({ name }) => name)).toHaveLength(19);
    expect(planner.instructions()).toContain('resume_project first');
    expect(planner.instructions()?.length).toBeLessThan(2_048);
  });

  test('works a project from plan to hand-over', async () => {
    await planner.call('create_project', { slug, name: 'Shop' });
    await planner.call('create_tasks', {
      project: slug,
      tasks: [
        { title: 'Build the page', dependencies: ['api'] },
        { key: 'api', title: 'Build the API', acceptance_criteria: ['It answers 200'] },
      ],
    });

    const claimed = await planner.call('claim_task', { project: slug });
    expect(claimed.data['task']).toMatchObject({
      title: 'Build the API',
      locked_by: expect.stringMatching(/^planner#[0-9a-f]{4}$/),
    });
    const { ref, lock_token } = claimed.data['task'] as { ref: string; lock_token: number };
    expect(claimed.text).toContain(`lock_token: ${lock_token}`);

    const refused = await worker.call('claim_task', { task: ref });
    expect(refused).toMatchObject({ isError: true, data: {}, text: expect.stringMatching(/^lock_held: .*planner#/) });

    const artifact = await planner.call('add_artifact', { task: ref, lock_token, type: 'test_report', ref: 'run 7' });
    const done = await planner.call('complete_task', {
      task: ref,
      lock_token,
      summary: 'The API answers.',
      evidence: [{ criterion: 1, artifact: artifact.data['id'] }],
    });
    expect(done.data['task']).toMatchObject({ status: 'completed' });

    await planner.call('save_checkpoint', { project: slug, label: 'API', summary: 'The API is there.' });
    const resumed = await worker.call('resume_project', { project: slug });
    expect(resumed.data).toMatchObject({
      checkpoint: { label: 'API', by: expect.stringMatching(/^planner#/) },
      ready: [{ title: 'Build the page' }],
    });

    const next = await worker.call('claim_task', { project: slug });
    expect(next.data['task']).toMatchObject({
      title: 'Build the page',
      locked_by: expect.stringMatching(/^work-er#/),
      dependencies: [{ ref, outcome: 'The API answers.' }],
    });
  });

  test('is answered in our words when an argument is wrong', async () => {
    const answer = await planner.call('claim_task', { project: slug, colour: 'red' });

    expect(answer.isError).toBe(true);
    expect(answer.text).toMatch(/^invalid_input: claim_task has no argument colour\./);
  });

  test('is refused a tool that there is not', async () => {
    await expect(planner.call('drop_database')).rejects.toMatchObject({ code: -32602 });
  });

  test('reads resources', async () => {
    expect(await planner.listTemplates()).toEqual([
      'cairn://projects/{slug}',
      'cairn://projects/{slug}/tasks/{ref}',
      'cairn://projects/{slug}/timeline',
    ]);
    expect(await planner.listResources()).toContain(`cairn://projects/${slug}`);
    expect(await planner.readResource(`cairn://projects/${slug}`)).toContain('checkpoint "API"');
    expect(await planner.readResource(`cairn://projects/${slug}/tasks/${slug}-1`)).toContain(`${slug}-1 [medium]`);
    expect(await planner.readResource(`cairn://projects/${slug}/timeline`)).toContain('checkpoint saved');
  });

  test.each([
    'cairn://projects/nope',
    'cairn://projects/nope/timeline',
    'cairn://elsewhere/x',
    'cairn://projects/nope/tasks/nope-1',
  ])('is told that there is no resource %s', async (uri) => {
    await expect(planner.readResource(uri)).rejects.toMatchObject({ code: -32602 });
  });

  test('gets prompts', async () => {
    expect(await planner.getPrompt('start_work', { project: slug, task: `${slug}-1` })).toContain(`task ${slug}-1`);
    expect(await planner.getPrompt('hand_over', {})).toContain('save_checkpoint');
    expect(await planner.getPrompt('plan_project', { goal: 'Sell more' })).toContain('Sell more');
  });

  test('completes slugs and refs', async () => {
    const prompt = { type: 'ref/prompt', name: 'start_work' } as const;
    const resource = { type: 'ref/resource', uri: 'cairn://projects/{slug}/tasks/{ref}' } as const;

    expect(await planner.complete(prompt, { name: 'project', value: slug })).toEqual([slug]);
    expect(await planner.complete(prompt, { name: 'task', value: `${slug}-` })).toEqual([`${slug}-2`]);
    expect(await planner.complete(resource, { name: 'slug', value: slug })).toEqual([slug]);
  });

  test('waits for what another agent does', async () => {
    const { position } = (await worker.call('list_events', { project: slug })).data;
    const waiting = worker.call('wait_for_events', { project: slug, after_seq: position, timeout_seconds: 20 });

    await planner.call('record_event', { project: slug, kind: 'risk', text: 'It may rain.' });

    expect((await waiting).data['events']).toMatchObject([{ type: 'project.noted', kind: 'risk' }]);
  });

  test('is told when a resource that it follows has changed, and no more after it left', async () => {
    const board = `cairn://projects/${slug}`;
    const [task] = [`${board}/tasks/${slug}-1`];
    const leave = [await planner.subscribe(task), await planner.subscribe(`${board}/timeline`)];

    await worker.call('record_event', { task: `${slug}-2`, text: 'Elsewhere.' });
    await worker.call('record_event', { task: `${slug}-1`, text: 'Here.' });

    await vi.waitFor(() => expect(planner.updated).toContain(task), { timeout: 20_000 });
    expect(planner.updated.filter((uri) => uri === task)).toEqual([task]);
    expect(planner.updated).not.toContain(`${board}/tasks/${slug}-2`);
    expect(planner.updated).not.toContain(board);
    expect(planner.updated).toContain(`${board}/timeline`);

    for (const unsubscribe of leave) await unsubscribe();
    const told = planner.updated.length;
    await worker.call('record_event', { task: `${slug}-1`, text: 'Nobody hears it.' });
    await planner.call('wait_for_events', { project: slug, after_seq: 0 });
    expect(planner.updated).toHaveLength(told);
  });

  test('is refused ten megabytes at once, and served on', async () => {
    const started = performance.now();
    const answer = await planner.call('record_event', { project: slug, text: 'x'.repeat(10_000_000) });

    expect(answer).toMatchObject({ isError: true, text: expect.stringMatching(/^payload_too_large: /) });
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(await planner.call('list_projects')).toMatchObject({ isError: false });
  });
});

describe('the process', () => {
  test('answers the handshake and the list of tools before the database is there', async () => {
    const elsewhere = join(dataDir, 'not-yet');
    const raw = spawnRaw(['--data-dir', elsewhere]);
    raw.send(INITIALIZE);
    raw.send('{"jsonrpc":"2.0","id":2,"method":"tools/list"}');

    expect(await raw.next()).toMatchObject({ id: 'hello' });
    expect(await raw.next()).toMatchObject({ id: 2, result: { tools: { length: 19 } } });

    raw.process.stdin?.end();
    expect(await raw.exited).toBe(0);
    await stopServer({ dataDir: elsewhere });
  });

  test('answers a line that it cannot read, and goes on', async () => {
    const raw = spawnRaw(flags);
    raw.send('{"jsonrpc": nonsense');
    raw.send('{"hello":"world"}');
    raw.send(INITIALIZE);

    expect(await raw.next()).toMatchObject({ error: { code: -32700 } });
    expect(await raw.next()).toMatchObject({ error: { code: -32600 } });
    expect(await raw.next()).toMatchObject({ id: 'hello', result: { serverInfo: { name: 'cairn' } } });

    raw.process.stdin?.end();
    expect(await raw.exited).toBe(0);
  });

  test('finishes calls in flight when its input ends', async () => {
    const raw = spawnRaw(flags);
    raw.send(INITIALIZE);
    raw.send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
    raw.send(callLine(2, 'list_projects', {}));
    raw.send(callLine(3, 'wait_for_events', { timeout_seconds: 50 }));
    raw.process.stdin?.end();

    const answers = [await raw.next(), await raw.next(), await raw.next()];

    expect(answers.map(({ id }) => id).sort()).toEqual([2, 3, 'hello']);
    expect(await raw.exited).toBe(0);
  });

  test.for(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'leaves when told to by %s, though its input is open',
    async (signal) => {
      const raw = spawnRaw(flags);
      raw.send(INITIALIZE);
      await raw.next();

      raw.process.kill(signal);

      expect(await raw.exited).toBe(0);
    },
  );

  test('shows only reads when read-only', async () => {
    const reader = await connect('v2 client, 2026 protocol', 'reader', [...flags, '--toolsets', 'all', '--read-only']);

    const names = (await reader.listTools()).map(({ name }) => name);

    expect(names).toContain('get_state');
    expect(names).not.toContain('claim_task');
    await reader.close();
  });

  test('takes the name of its agent and its project from the configuration', async () => {
    const ada = await connect('v2 client, 2026 protocol', 'x', [...flags, '--agent', 'ada', '--project', 'mine']);
    await ada.call('create_project', { slug: 'mine', name: 'Mine' });
    await ada.call('create_tasks', { tasks: [{ title: 'One' }] });

    const { data } = await ada.call('claim_task');

    expect(data['task']).toMatchObject({ ref: 'mine-1', locked_by: 'ada' });
    await ada.close();
  });

  test('refuses a toolset that there is not, in two sentences', async () => {
    const raw = spawnRaw([...flags, '--toolsets', 'nope']);

    expect(await raw.exited).toBe(1);
  });
});
