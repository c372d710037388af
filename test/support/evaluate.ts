import type pg from 'pg';
import type { Context } from '../../src/context.ts';

/** What SQL says of an expression, in the workspace of the caller, who is `actor` in it; its values begin at $2. */
export async function evaluate(sql: pg.Pool, { actor }: Context, [expression, ...values]: [string, ...unknown[]]) {
  const { rows } = await sql.query(
    `with entered as materialized (select app.authenticate($1) as actor) select ${expression} as value from entered`,
    [actor, ...values],
  );
  return rows[0]?.value;
}
