import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect } from 'vitest';
import { decideApproval, listApprovals } from '../../src/services/approvals.ts';
import { person } from '../support/calls.ts';
import { test } from '../support/world.ts';
import { ended, send, until } from './drive.ts';
import { driveHeld } from './followed.ts';
import { closeDrivers } from './give.ts';

afterEach(closeDrivers);

describe('a run whose runner was killed', () => {
  test('counts the time in which it waited for a person as waited', async ({ as }) => {
    const { kill, next } = await driveHeld(as('ada'), 'claude');
    const command = await send(as('ada'), 'ask', { limits: { time_limit_ms: 2_500 } });
    await until(as('ada'), command, ({ runs }) => runs[0]?.status === 'waiting_approval');

    kill();
    await sleep(3_000);
    await next();
    const [asked] = (await listApprovals(as('ada'), {})).approvals;
    await decideApproval(person(as('ada')), { approval: asked?.id ?? '', decision: 'approved' });

    expect(await ended(as('ada'), command)).toMatchObject({ status: 'completed' });
  });
});
