import { expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { setOutputSearch } from '../../src/services/output.ts';
import { call, person } from './calls.ts';
import { begunRun, completed, pieces } from './runners.ts';

type Hit = { kind: string; id: string; ref?: string; title: string; snippet: string; by: string; read_on: string };

export async function found(ctx: Context, query: string, more = {}): Promise<Hit[]> {
  return (await call(ctx, 'search', { query, ...more }))['hits'] as Hit[];
}

export const switched = (ctx: Context, enabled: boolean) => setOutputSearch(person(ctx), { enabled });

/** A run that printed this and ended. */
export async function endedRun(ctx: Context, texts: string[], name = 'heron-1') {
  const begun = await begunRun(ctx, name);
  await begun.add(pieces(texts));
  await begun.runner.report(begun.run, begun.lock_token, [completed]);
  return begun;
}

type Sql = { query(text: string, values: unknown[]): Promise<{ rows: unknown[] }> };

/** What is kept of the output that search finds, and what search has of it. */
export async function rowsOfSearch({ as, sql }: { as: (agent: string) => Context; sql: Sql }) {
  const of = [as('ada').actor.tenant_id];
  const kept = await sql.query('select run_id, content from app.run_screens where tenant_id = $1 order by 1', of);
  const documents = `select id, words::text from app.search_documents where tenant_id = $1 and kind = 'output' order by 1`;
  return [kept.rows, (await sql.query(documents, of)).rows];
}

/** Waits until another connection waits for this one. */
export async function untilWaits(client: { query(text: string): Promise<{ rows: unknown[] }> }): Promise<void> {
  const waiting = 'select from pg_locks l where not l.granted and pg_backend_pid() = any (pg_blocking_pids(l.pid))';
  await expect.poll(async () => (await client.query(waiting)).rows.length, { timeout: 5_000 }).toBeGreaterThan(0);
}
