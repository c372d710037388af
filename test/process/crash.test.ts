import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { type RawAgent, startRaw } from '../support/raw-agent.ts';

const ROUNDS = 10;
const IN_FLIGHT = 4;
const BATCH = 3;

let world: LocalWorld;
let agents: RawAgent[] = [];

beforeAll(async () => {
  world = await openLocalWorld();
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await world.close();
});

async function startAgent(): Promise<RawAgent> {
  const agent = await startRaw(['--data-dir', world.dataDir, '--project', 'web']);
  agents = [...agents, agent];
  return agent;
}

/** Writes notes and batches of tasks, several at once, until the agent is killed or stopped. */
function startWriting(agent: RawAgent, name: string, acknowledged: Set<string>) {
  let stopped = false;
  async function line(at: number): Promise<void> {
    for (let turn = 0; !stopped; turn += 1) {
      const text = `${name}-${at}-${turn}`;
      const write =
        turn % 2 === 0
          ? agent.call('record_event', { text })
          : agent.call('create_tasks', { tasks: Array.from({ length: BATCH }, () => ({ title: text })) });
      const answer = await write.catch(() => null);
      if (answer === null) return;
      if (!answer.isError) acknowledged.add(text);
      // Nothing but the loss of the server may be in the way.
      else expect(answer.text).toMatch(/^unavailable: /);
    }
  }
  const lines = Promise.all(Array.from({ length: IN_FLIGHT }, (_, at) => line(at)));
  return {
    async stop() {
      stopped = true;
      await lines;
    },
  };
}

async function serverPid(): Promise<number> {
  return Number((await readFile(join(world.dataDir, 'pg', 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

test(`kill -9 in the middle of writes, ${ROUNDS} times: what was acknowledged is there, whole, and verifies`, {
  timeout: 90_000,
}, async () => {
  const acknowledged = new Set<string>();
  let writer = await startAgent();
  await writer.call('create_project', { slug: 'web', name: 'Web' });

  for (let round = 0; round < ROUNDS; round += 1) {
    const killsWriter = round % 2 === 0;
    const next = killsWriter ? startAgent() : writer;
    const before = acknowledged.size;
    const writing = startWriting(writer, `round-${round}`, acknowledged);
    await expect.poll(() => acknowledged.size - before, { interval: 5, timeout: 20_000 }).toBeGreaterThan(5);
    // Another point of the writes each time.
    await pause((round * 13) % 40);
    if (killsWriter) {
      agents = agents.filter((agent) => agent !== writer);
      await writer.kill();
    } else {
      const killed = acknowledged.size;
      process.kill(await serverPid(), 'SIGKILL');
      await expect.poll(() => acknowledged.size - killed, { interval: 5, timeout: 20_000 }).toBeGreaterThan(5);
    }
    await writing.stop();
    writer = await next;
  }

  const written = await world.rows<{ text: string; count: number }>(`
    select coalesce(payload ->> 'text', payload ->> 'title') as text, count(*)::int from public.events
     where event_type in ('project.noted', 'task.created') group by 1`);
  const counts = new Map(written.map(({ text, count }) => [text, count]));
  expect([...acknowledged].filter((text) => !counts.has(text))).toEqual([]);
  // A batch is written as a whole or not at all, and a note once.
  expect(new Set(counts.values())).toEqual(new Set([1, BATCH]));
  const [positions] = await world.rows<{ count: number; max: number }>(
    'select count(*)::int, max(seq)::int from public.events',
  );
  expect(positions?.count).toBe(positions?.max);
  expect(await world.verify()).toMatchObject({ ok: true, events: positions?.count });
});
