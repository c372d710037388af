import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Agent, CLIENT_KINDS, connectTo } from '../support/client.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { type Serving, startServing } from '../support/serve.ts';

const BOUND = { timeout: 20_000 };

let world: LocalWorld;
let servers: Serving[];

beforeAll(async () => {
  world = await openLocalWorld();
  servers = await Promise.all([1, 2].map(() => startServing(['--data-dir', world.dataDir])));
});
afterAll(async () => {
  await Promise.all(servers.map((serving) => serving.stop()));
  await world.close();
});

describe.each(CLIENT_KINDS)('over HTTP, the %s', (kind) => {
  const slug = `h${CLIENT_KINDS.indexOf(kind) + 1}`;
  const board = `cairn://projects/${slug}`;
  let reader: Agent;
  let worker: Agent;

  beforeAll(async () => {
    const [here, there] = servers as [Serving, Serving];
    [reader, worker] = await Promise.all([connectTo(kind, 'reader', here), connectTo(kind, 'worker', there)]);
    await worker.call('create_project', { slug, name: 'Followed' });
    await worker.call('create_tasks', { project: slug, tasks: [{ title: 'One' }, { title: 'Two' }] });
  });
  afterAll(async () => {
    await Promise.all([reader.close(), worker.close()]);
  });

  test('is told by one server what another one changed, of what it follows', async () => {
    const leave = await reader.subscribe(`${board}/tasks/${slug}-1`);
    await worker.call('record_event', { task: `${slug}-2`, text: 'Elsewhere.' });
    await worker.call('record_event', { task: `${slug}-1`, text: 'Here.' });

    await vi.waitFor(() => expect(reader.updated).toEqual([`${board}/tasks/${slug}-1`]), BOUND);
    await leave();
  });
});
