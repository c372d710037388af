import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Agent, connectTo } from '../support/client.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { callOf, sendRaw } from '../support/raw-http.ts';
import { type Serving, startServing } from '../support/serve.ts';

let world: LocalWorld;
let servers: [Serving, Serving];
let agents: [Agent, Agent];

beforeAll(async () => {
  world = await openLocalWorld();
  const flags = ['--data-dir', world.dataDir, '--log-level', 'error'];
  servers = [await startServing(flags), await startServing(flags)];
  const [one, other] = servers;
  agents = [
    await connectTo('v1 client', 'ada', { url: one.url }),
    await connectTo('v2 client, 2026 protocol', 'bob', { url: other.url }),
  ];
});
afterAll(async () => {
  for (const agent of agents ?? []) await agent.close();
  for (const server of servers ?? []) await server.stop();
  await world?.close();
});

describe('two servers over one database', () => {
  test('give a task to one agent only', async () => {
    const [ada, bob] = agents;
    await ada.call('create_project', { slug: 'web', name: 'Web' });
    await ada.call('create_tasks', {
      project: 'web',
      tasks: Array.from({ length: 20 }, (_, at) => ({ title: `${at}` })),
    });

    const claims = await Promise.all(
      Array.from({ length: 24 }, (_, at) => (at % 2 === 0 ? ada : bob).call('claim_task', { project: 'web' })),
    );

    const tasks = claims.map(({ data }) => data['task'] as { ref: string } | undefined);
    const refs = tasks.filter((task) => task !== undefined).map(({ ref }) => ref);
    expect(new Set(refs).size).toBe(20);
    expect(refs).toHaveLength(20);
  });

  test('wake who waits at the other', async () => {
    const [ada, bob] = agents;
    const { position } = (await bob.call('list_events', { project: 'web' })).data;
    const waiting = bob.call('wait_for_events', { project: 'web', after_seq: position, timeout_seconds: 20 });

    await ada.call('record_event', { project: 'web', kind: 'risk', text: 'It may rain.' });

    expect((await waiting).data['events']).toMatchObject([{ kind: 'risk' }]);
  });

  test('serve requests of the 2026 protocol as they come, one here and one there', async () => {
    for (const [at, title] of ['one', 'two', 'three', 'four'].entries()) {
      const server = servers[at % 2] as Serving;
      const reply = await sendRaw(server.url, callOf('create_tasks', { project: 'web', tasks: [{ title }] }));
      expect(reply.text).toContain(`"ref":"web-${21 + at}"`);
    }
  });

  test('go on when one of them is gone', async () => {
    const [first, second] = servers;
    first.kill('SIGKILL');
    await first.exited;

    expect(await sendRaw(second.url, callOf('list_projects'))).toMatchObject({ status: 200 });
  });
});
