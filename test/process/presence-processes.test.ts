import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { type RawAgent, startRaw } from '../support/raw-agent.ts';

let world: LocalWorld;
let agents: RawAgent[] = [];

beforeAll(async () => {
  world = await openLocalWorld();
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await world.close();
});

let count = 0;
let project: string;

/** A client's process, of the session that it tells where it tells one. */
async function start(session?: string): Promise<RawAgent> {
  const env = session === undefined ? {} : { CLAUDE_CODE_SESSION_ID: session };
  const agent = await startRaw(['--data-dir', world.dataDir, '--project', project], env);
  agents = [...agents, agent];
  return agent;
}

async function holder(session?: string): Promise<{ agent: RawAgent; lock_token: unknown }> {
  const agent = await start(session);
  await agent.call('create_project', { slug: project, name: project });
  await agent.call('create_tasks', { project, tasks: [{ title: 'A' }] });
  const { data } = await agent.call('claim_task', {});
  return { agent, lock_token: (data['task'] as { lock_token: number }).lock_token };
}

const told = async (agent: RawAgent) => (await agent.call('resume_project')).text;

async function secondsLeft(agent: RawAgent): Promise<number> {
  const { data } = await agent.call('get_task', { task: `${project}-1` });
  return (Date.parse(String(data['locked_until'])) - Date.now()) / 1_000;
}

beforeEach(() => {
  count += 1;
  project = `p${count}`;
});

test('the next after a process that was killed is told, and takes over', async () => {
  const { agent } = await holder();
  await agent.kill();
  const next = await start();

  const refused = await next.call('claim_task', { task: `${project}-1` });
  expect(await told(next)).toContain(`Next: claim_task ${project}-1 with take_over: true, from: raw#`);
  expect(refused.text).toMatch(/^lock_held: .*its session ended (just now|\d+ seconds? ago)\./);
  expect(await secondsLeft(next)).toBeLessThan(121);
  expect((await next.call('claim_task', { task: `${project}-1`, take_over: true })).isError).toBe(false);
  expect(await secondsLeft(next)).toBeGreaterThan(3_500);
});

test('one that is told to stop says so as it leaves', async () => {
  const { agent } = await holder();
  const other = await start();
  expect(await secondsLeft(other)).toBeGreaterThan(3_500);

  await agent.close();

  expect(await told(other)).toMatch(/its session ended (just now|\d+ seconds? ago)/);
});

test('one that is asleep keeps its lock and finds it again', async () => {
  const { agent, lock_token } = await holder();
  process.kill(agent.pid, 'SIGSTOP');
  const other = await start();
  expect(await told(other)).not.toContain('session ended');
  const refused = await other.call('claim_task', { task: `${project}-1` });
  expect(refused.text).toMatch(/^lock_held: .*\nClaim another ready task/);
  await pause(500);
  process.kill(agent.pid, 'SIGCONT');

  const done = await agent.call('complete_task', { task: `${project}-1`, lock_token });

  expect(done.isError).toBe(false);
});

test('the session that is resumed in another process has its lock and its token', async () => {
  const { agent, lock_token } = await holder('f33e0000-0000-4000-8000-000000000000');
  await agent.kill();
  const resumed = await start('f33e0000-0000-4000-8000-000000000000');

  expect(await told(resumed)).toContain(`lock_token ${lock_token}`);
  // Its calls renew what it holds, a moment later.
  await expect.poll(() => secondsLeft(resumed)).toBeGreaterThan(3_500);
  expect(await told(resumed)).not.toContain('lock_token');
});

test('one whose connections are lost while it lives says that it does, and keeps its lock', async () => {
  const { agent, lock_token } = await holder();
  await world.rows(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cairn' and pid <> pg_backend_pid()`,
  );
  const other = await start();

  await expect.poll(() => told(other), { timeout: 10_000 }).not.toContain('session ended');
  const done = await agent.call('complete_task', { task: `${project}-1`, lock_token });

  expect(done.isError).toBe(false);
});
