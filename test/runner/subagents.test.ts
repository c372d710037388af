import { afterEach, describe, expect } from 'vitest';
import { claudeDriver } from '../../src/runner/drivers/claude.ts';
import { call } from '../support/calls.ts';
import { test } from '../support/world.ts';
import { drive, ended, GRACE_MS, program, send, stopAll, until } from './drive.ts';

afterEach(stopAll);

const open = () => claudeDriver({ program: program('claude'), graceMs: GRACE_MS });

describe('a sub-agent that works on when the turn of its agent has ended', () => {
  test('is named, and the run ends after it with what the agent said then', async ({ as, sql }) => {
    const { printed } = await drive(as('heron'), { driver: open() });
    const sent = await send(as('ada'), 'scout 1500');

    const working = await until(as('ada'), sent, ({ runs }) => 'subagents' in (runs[0] ?? {}));
    const [run] = (await ended(as('ada'), sent)).runs;

    expect(working.runs).toMatchObject([{ status: 'running', subagents: ['Explore: Look'] }]);
    // Its process counts what sub-agents used, too.
    expect(run).toMatchObject({ status: 'completed', result: 'after the scout' });
    expect(run).not.toHaveProperty('subagents');
    expect(printed.join('')).toContain('[Explore: Look] > Bash {}');
    const { rows } = await sql.query('select metrics from public.agent_runs where tenant_id = $1 and id = $2', [
      as('ada').actor.tenant_id,
      run?.id,
    ]);
    expect(rows).toMatchObject([{ metrics: { subagents: ['Explore: Look'], tokens_in: 100, tokens_out: 9 } }]);
  });

  test('ends with the run when that is interrupted, and the process stays', async ({ as }) => {
    const { printed } = await drive(as('heron'), { driver: open() });
    const sent = await send(as('ada'), 'scout 60000');
    const { runs } = await until(as('ada'), sent, (command) => 'subagents' in (command.runs[0] ?? {}));

    await call(as('ada'), 'interrupt_run', { run: runs[0]?.id });

    expect(await ended(as('ada'), sent)).toMatchObject({ runs: [{ status: 'cancelled', end_reason: 'interrupted' }] });
    expect(await ended(as('ada'), await send(as('ada'), 'next'))).toMatchObject({ status: 'completed' });
    expect(printed.join('').match(/begun with heron/g)).toHaveLength(1);
  });
});
