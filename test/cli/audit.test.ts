import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentWorld, cells, end, openAgentWorld } from '../support/agent-world.ts';
import { startCairn } from '../support/cairn.ts';
import { claimed, completed } from '../support/runners.ts';

let world: AgentWorld;

beforeAll(async () => {
  world = await openAgentWorld();
});

afterAll(() => world?.close());

describe('the audit trail', () => {
  test('is empty at first, and says what fills it', async () => {
    const { code, stdout } = await world.run(['audit']);

    expect(code).toBe(0);
    expect(stdout).toContain('Nothing in the last 30 days.');
    expect(stdout).toContain('`cairn send');
    expect((await world.run(['audit', '--kind', 'user_login'])).stdout).toContain('`cairn audit` without options');
  });

  test('is a table, the latest first, of what is asked for', async () => {
    const runner = await world.runner('claude-1');
    await world.run(['send', 'Look at the log.', '--to', 'claude-1']);
    const { command, run, lock_token } = await claimed(runner);
    await runner.report(run.id, lock_token, [{ type: 'run.delivered', data: { path: 'pipe' } }, completed]);
    await world.run(['stop', '-m', 'Fire.']);
    await runner.beat({ leaving: true });

    const [heading, ...rows] = cells((await world.run(['audit'])).stdout);
    expect(heading).toEqual(expect.arrayContaining(['WHEN', 'WHAT', 'WHO', 'AGENT']));
    expect(rows.map(([, kind]) => kind)).toEqual([
      ...['agent_disconnect', 'emergency_stop', 'command_completed', 'command_delivered', 'command_sent'],
      'agent_connect',
    ]);
    const kinds = async (...asked: string[]) =>
      (await world.json('audit', ...asked)).entries.map(({ kind }: { kind: string }) => kind);
    expect(await kinds('--kind', 'emergency_stop')).toEqual(['emergency_stop']);
    expect(await kinds('--agent', 'claude-1', '--kind', 'agent_connect')).toEqual(['agent_connect']);
    expect(await kinds('--command', end(command.id))).toEqual([
      ...['command_completed', 'command_delivered', 'command_sent'],
    ]);
    expect(await kinds('--since', '1h', '--limit', '2')).toHaveLength(2);
    expect(await kinds('--until', '1h')).toEqual([]);
    expect(await kinds('--until', '2026-01-01')).toEqual([]);
    expect((await world.run(['audit', '--limit', '2'])).stdout).toContain('Only the latest 2; --limit shows more.');
    expect((await world.run(['audit', '--kind', 'emergency_stop'])).stdout).toContain('Fire.');
  });

  test('is asked about in words that are known', async () => {
    expect(await world.run(['audit', '--kind', 'coffee'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('agent_connect'),
    });
    expect(await world.run(['audit', '--user', 'nobody'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('`cairn auth members`'),
    });
    expect(await world.run(['audit', '--since', 'soon'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--since'),
    });
  });

  test('is followed: what there is, and each entry as it comes, once', async () => {
    const following = startCairn([...world.flags, 'audit', '--follow', '--json', '--kind', 'agent_connect'], 'pipe');
    let printed = '';
    following.process.stdout?.on('data', (chunk) => {
      printed += chunk;
    });
    const agents = () =>
      printed
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line).agent);
    await expect.poll(agents, { timeout: 20_000 }).toEqual(['claude-1']);

    await world.runner('claude-2');

    await expect.poll(agents, { timeout: 20_000 }).toEqual(['claude-1', 'claude-2']);
    following.process.kill();
    await following.exited;
  });
});
