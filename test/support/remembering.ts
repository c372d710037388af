import type { Context } from '../../src/context.ts';
import { call } from './calls.ts';

type Found = { id: string; key: string; text: string; status: string; superseded_by?: string; noted_by: string };
type Given = { memories: Found[]; left_out?: number };

type Noted = { key: string; text: string; [more: string]: unknown };

/** Remembers something of the project `web`. */
export async function remember(ctx: Context, noted: Noted): Promise<Found> {
  return (await call(ctx, 'remember', { project: 'web', ...noted })) as never;
}

export async function recalled(ctx: Context, chosen: object = {}): Promise<Given> {
  return (await call(ctx, 'recall', { project: 'web', ...chosen })) as never;
}

export const texts = ({ memories }: Given) => memories.map(({ text }) => text);

type Sql = { query(text: string, values: unknown[]): Promise<unknown> };

/** Makes a memory so many days older. */
export function age(sql: Sql, { id, days }: { id: string; days: number }): Promise<unknown> {
  return sql.query(
    `update public.agent_memory set created_at = created_at - make_interval(days => $2),
      expires_at = expires_at - make_interval(days => $2)
      where id = $1`,
    [id, days],
  );
}
