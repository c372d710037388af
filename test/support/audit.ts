import { createHash } from 'node:crypto';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import { stopAgents } from '../../src/services/agents.ts';
import { decideApproval } from '../../src/services/approvals.ts';
import { type ListAudit, listAudit } from '../../src/services/audit.ts';
import { call, person } from './calls.ts';
import { claimed, completed, runnerOf } from './runners.ts';
import { test as base } from './settling.ts';

type Asked = Partial<(typeof ListAudit)['_zod']['output']>;

export const list = async (ctx: Context, asked: Asked = {}) =>
  (await listAudit(ctx, { page_size: 200, ...asked })).entries;
export const kindsOf = async (ctx: Context, asked: Asked = {}) => (await list(ctx, asked)).map(({ kind }) => kind);

export const test = base.extend<{ member: Context }>({
  /** Another person in the same workspace. */
  member: async ({ asStranger, sql, people: { owner, stranger } }, use) => {
    await sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'member')`, [
      owner.tenant_id,
      stranger.user_id,
    ]);
    const eve = asStranger('eve');
    await use({ ...eve, actor: { ...eve.actor, tenant_id: owner.tenant_id ?? '' } });
  },
});

const ended = (status: string, end_reason: string) => ({ type: 'run.finished', data: { status, end_reason } });

/** Somebody at a browser signs in, and out. */
async function visit({ db, actor: { agent: _, ...actor } }: Context): Promise<void> {
  const session = {
    session_hash: createHash('sha256').update(newId()).digest('hex'),
    amr: ['pwd'],
    idle_seconds: 60,
    max_seconds: 60,
  };
  await db.call('start_session', { session }, { ...actor, ip: '192.0.2.7' });
  await db.call('end_session', { session_hash: session.session_hash }, actor);
}

/** Does all that is entered, but for what is removed by age. */
export async function live(ctx: Context, { settle }: { settle: () => Promise<number> }): Promise<{ command: string }> {
  const runner = await runnerOf(ctx, 'heron');
  await call(ctx, 'save_preset', { name: 'Look', content: 'Look.' });
  const send = (given: object) => call(ctx, 'send_command', { to: ['heron'], ...given });
  const begin = async (given: object, events: object[]) => {
    const sent = await send(given);
    const { run, lock_token } = await claimed(runner);
    if (events.length > 0) await runner.report(run.id, lock_token, events);
    return { sent, run: run.id, lock_token };
  };
  const delivered = { type: 'run.delivered', data: { path: 'pipe' } };
  const { sent } = await begin({ preset: 'Look' }, [delivered, completed]);
  await begin({ content: 'Eat all.' }, [ended('failed', 'token_limit')]);
  await begin({ content: 'Think long.' }, [ended('timed_out', 'time_limit')]);
  const { run, lock_token } = await begin({ content: 'Stop.' }, []);
  const ask = { id: newId(), kind: 'permission', title: 'Run rm?', ttl_seconds: 600 };
  await runner.report(run, lock_token, [{ type: 'run.waiting', data: { for: 'approval', text: 'rm?', ask } }]);
  await decideApproval(person(ctx), { approval: ask.id, decision: 'denied' });
  await call(ctx, 'interrupt_run', { run, reason: 'Enough.' });
  await runner.report(run, lock_token, [ended('cancelled', 'interrupted')]);
  await send({ content: 'Too late.', ttl_seconds: 1 });
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await settle();
  await stopAgents(person(ctx), { reach: 'workspace', stopped: true, reason: 'Fire.' });
  await visit(ctx);
  await runner.beat({ leaving: true });
  return { command: sent.id };
}

/** How often each kind is entered by that. */
export const LIVED: Readonly<Record<string, number>> = Object.freeze({
  ...{ agent_connect: 1, agent_disconnect: 1, preset_created: 1, preset_used: 1 },
  ...{ command_sent: 5, command_delivered: 1, command_interrupted: 1, command_expired: 1, command_completed: 5 },
  ...{ approval_requested: 1, approval_decided: 1, emergency_stop: 1, token_limit_exceeded: 1 },
  ...{ time_limit_exceeded: 1, user_login: 1, user_logout: 1 },
});

export function count(kinds: readonly string[], wanted: string): number {
  return kinds.filter((kind) => kind === wanted).length;
}
