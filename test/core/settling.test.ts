import { describe, expect } from 'vitest';
import { setAgentsMax } from '../../src/services/agents.ts';
import { callerOf } from '../support/callers.ts';
import { call, person } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { begunRun, claimed, runnerOf } from '../support/runners.ts';
import { test } from '../support/settling.ts';

describe('what a runner left that never came back', () => {
  test('is settled when a worker was at work meanwhile', async ({ as, clock, settle }) => {
    const { run, runner, lock_token } = await begunRun(as('ada'), 'claude-1');
    await runner.report(run, lock_token, [{ type: 'run.delivered', data: { path: 'x' } }]);
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'y', ttl_seconds: 60 });

    await clock.advance({ seconds: 3_600 });
    // All were away: the runner may still come back. What expired has.
    expect(await settle()).toBe(1);
    await clock.advance({ seconds: 300 });
    expect(await settle()).toBe(1);

    expect(await call(as('ada'), 'list_runs')).toMatchObject({
      runs: [
        { status: 'cancelled', end_reason: 'expired' },
        { status: 'failed', end_reason: 'lost' },
      ],
    });
    expect(await call(as('ada'), 'list_commands')).toMatchObject({
      commands: [{ status: 'cancelled' }, { status: 'failed' }],
    });
    await expect(runner.report(run, lock_token, [])).resolves.toMatchObject({ status: 'failed' });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is settled after an hour where hooks alone speak: a tool may work for so long', async ({
    as,
    clock,
    settle,
  }) => {
    const hook = callerOf(as('claude-code#7f3a'));
    await hook.begin();
    await call(as('ada'), 'send_command', { to: [hook.name], content: 'x' });
    await hook.told(await hook.next());

    await clock.advance({ seconds: 3_000 });
    for (let times = 0; times < 2; times += 1) expect(await settle()).toBe(0);
    await clock.advance({ seconds: 900 });

    expect(await settle()).toBe(1);
    expect(await call(as('ada'), 'list_runs')).toMatchObject({ runs: [{ status: 'failed', end_reason: 'lost' }] });
  });

  test('is left to a runner that beats', async ({ as, clock, settle }) => {
    const { run, runner, lock_token } = await begunRun(as('ada'), 'claude-1');
    for (let n = 0; n < 4; n += 1) {
      await clock.advance({ seconds: 300 });
      await runner.beat({ runs: [{ run, lock_token }] });
      expect(await settle()).toBe(0);
    }
    expect(await call(as('ada'), 'list_runs')).toMatchObject({ runs: [{ status: 'running' }] });
  });

  test('goes back to the queue where nothing of it had reached the agent', async ({ as, clock, settle }) => {
    await begunRun(as('ada'), 'claude-1');
    await settle();
    await clock.advance({ seconds: 900 });
    await settle();
    await clock.advance({ seconds: 300 });
    await settle();
    expect(await call(as('ada'), 'list_runs')).toMatchObject({ runs: [{ status: 'queued' }] });

    await claimed(await runnerOf(as('ada'), 'claude-1'));
  });

  test('has its turn, however many agents merely wait', { timeout: 60_000 }, async ({ as, clock, settle }) => {
    await setAgentsMax(person(as('ada')), { agents_max: 300 });
    for (const type of ['heron', 'egret']) {
      await Promise.all(Array.from({ length: 100 }, (_, n) => runnerOf(as('ada'), `${type}-${n}`, { type })));
      await call(as('ada'), 'send_command', { to: [`type:${type}`], content: 'x' });
    }
    await runnerOf(as('ada'), 'stork');
    await call(as('ada'), 'send_command', { to: ['stork'], content: 'y', ttl_seconds: 60 });
    await clock.advance({ seconds: 61 });

    expect(await settle()).toBe(1);
  });

  test('asked a person: their question expires', async ({ as, clock, settle }) => {
    await call(as('bo'), 'ask_approval', { title: 'Which?', ttl_seconds: 60, wait_seconds: 0 });
    await clock.advance({ seconds: 61 });
    await settle();
    const { approvals } = await call(as('ada'), 'list_approvals', { include_decided: true });
    expect(approvals).toMatchObject([{ state: 'expired', decided_at: expect.any(String) }]);
  });
});
