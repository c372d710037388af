import { describe, expect } from 'vitest';
import { call, person } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { begunRun, claimed } from '../support/runners.ts';
import { test } from '../support/world.ts';

const delivered = { type: 'run.delivered', data: { path: 'stdin' } };

describe('a run whose runner ended and came back', () => {
  test('is settled though the run itself keeps its account waiting', async ({ as }) => {
    const { runner, run, lock_token } = await begunRun(as('ada'), 'claude-1');
    const limit = { type: 'run.paused', data: { seconds: 86_400, reason: 'Usage limit.' } };
    await runner.report(run, lock_token, [delivered, limit]);
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'Next.' });

    expect(await runner.beat({ runs: [{ run, lock_token }] })).toMatchObject({ queued: false });
    expect(await runner.beat()).toMatchObject({ queued: true });

    expect(await claimed(runner)).toMatchObject({ command: { content: 'Next.' } });
    expect((await call(as('ada'), 'list_runs')).runs).toMatchObject([
      { status: 'running' },
      { status: 'failed', end_reason: 'lost' },
    ]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is settled under a stop, too, and nothing starts', async ({ as }) => {
    const { runner, run, lock_token } = await begunRun(as('ada'), 'claude-1');
    await runner.report(run, lock_token, [delivered]);
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'Next.' });
    await call(person(as('ada')), 'stop_agents', { reason: 'Smoke.' });

    expect(await runner.beat()).toMatchObject({ queued: true });
    expect(await runner.claim()).toHaveProperty('nothing');

    expect((await call(as('ada'), 'list_runs')).runs).toMatchObject([
      { status: 'queued' },
      { status: 'failed', end_reason: 'lost' },
    ]);
    expect(await runner.beat()).toMatchObject({ queued: false });
  });
});
