import type pg from 'pg';
import type { Actor } from '../../src/db/database.ts';

type Node = {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows'?: number;
  'Actual Loops'?: number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  Plans?: Node[];
};

const SETTINGS = Object.freeze({
  log_min_duration: '0',
  log_nested_statements: 'on',
  log_analyze: 'on',
  log_timing: 'off',
  log_format: 'json',
  log_level: 'notice',
});

/** Tells the server to say how it runs each statement. */
export async function explainAll(sql: pg.Client): Promise<void> {
  await sql.query(`load 'auto_explain'`);
  for (const [name, value] of Object.entries(SETTINGS)) await sql.query(`set auto_explain.${name} = '${value}'`);
}

/** Every step of every plan that a call runs, statements inside functions included, with the rows that it looked at. */
export async function stepsOf(
  sql: pg.Client,
  [fn, args]: [fn: string, args: Record<string, unknown>],
  actor: Actor,
): Promise<{ step: string; lookedAt: number }[]> {
  const plans: Node[] = [];
  const collect = ({ message = '' }: { message?: string | undefined }) => {
    const json = /plan:\n([\s\S]*)$/.exec(message)?.[1];
    if (json !== undefined) plans.push(JSON.parse(json).Plan);
  };
  sql.on('notice', collect);
  const list = [...Object.keys(args), 'actor'].map((name, at) => `${name} => $${at + 1}`).join(', ');
  const values = [...Object.values(args), actor].map((value) =>
    typeof value === 'object' ? JSON.stringify(value) : value,
  );
  try {
    await sql.query(`select public.${fn}(${list})`, values);
  } finally {
    sql.off('notice', collect);
  }
  return plans.flatMap(flatten).map((node) => {
    const rows =
      (node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
    const step = [node['Node Type'], node['Index Name'] ?? '', 'on', node['Relation Name'] ?? ''].join(' ');
    return { step, lookedAt: rows * (node['Actual Loops'] ?? 1) };
  });
}

function flatten(node: Node): Node[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)];
}
