import { errors } from 'jose';
import pg from 'pg';
import type { Claims } from './gotrue.ts';
import type { Reply } from './reply.ts';

type RestRequest = {
  method: string;
  path: string;
  searchParams: URLSearchParams;
  body: string;
  prefer: string;
  bearer: string | undefined;
  /** The role of the key, used while no user is signed in. */
  role: string;
};

/** PostgREST's documented contract for functions and plain tables: https://docs.postgrest.org/en/v14/. */
export type Rest = { handle(request: RestRequest): Promise<Reply>; close(): Promise<void> };

type Callable = { name: string; names: string[]; types: string[]; required: number; settings: string[] };

type Options = { connection: pg.ClientConfig; verify(token: string): Promise<Claims> };

type Statement = { text: string; values: unknown[] };

// The timeouts of the roles of a hosted project: https://supabase.com/docs/guides/database/postgres/timeouts.
const STATEMENT_TIMEOUTS: Record<string, string> = { anon: '3s', authenticated: '8s', service_role: '8s' };
const CONNECTIONS_MAX = 10;

const SCHEMA_CACHE = `
  select p.proname as name, coalesce(p.proargnames, '{}') as names, p.pronargs - p.pronargdefaults as required,
    array(select format_type(t, null) from unnest(p.proargtypes) with ordinality a(t, at) order by at) as types,
    coalesce(p.proconfig, '{}') as settings
  from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prokind = 'f'`;

export function createRest({ connection, verify }: Options): Rest {
  const pool = new pg.Pool({ ...connection, max: CONNECTIONS_MAX, application_name: 'postgrest' });
  pool.on('error', () => {});
  let callables: Callable[] = [];

  async function findCallable(name: string, given: string[]): Promise<Callable | undefined> {
    const fits = (callable: Callable) =>
      callable.name === name &&
      given.every((argument) => callable.names.includes(argument)) &&
      callable.names.slice(0, callable.required).every((argument) => given.includes(argument));
    const known = callables.find(fits);
    if (known !== undefined) return known;
    // Hosted, an event trigger has it read anew after each change of the schema.
    callables = (await pool.query<Callable>(SCHEMA_CACHE)).rows;
    return callables.find(fits);
  }

  async function call(request: RestRequest, claims: Claims): Promise<Reply> {
    const name = request.path.slice('rpc/'.length);
    const given = Object.keys(request.body === '' ? {} : JSON.parse(request.body));
    const callable = await findCallable(name, given);
    if (callable === undefined) return unknownFunction(name, given);
    const types = given.map((argument) => `"${argument}" ${callable.types[callable.names.indexOf(argument)]}`);
    const list = given.map((argument) => `"${argument}" := a."${argument}"`).join(', ');
    const from = given.length === 0 ? '' : `from json_to_record($1::json) as a(${types.join(', ')})`;
    const text = `select public."${name}"(${list}) as result ${from}`;
    const timeout = callable.settings.find((setting) => setting.startsWith('statement_timeout='))?.split('=')[1];
    const { rows } = await transaction({ text, values: given.length === 0 ? [] : [request.body] }, request, {
      claims,
      timeout,
    });
    return { status: 200, body: rows[0]?.result ?? null };
  }

  async function table(request: RestRequest, claims: Claims): Promise<Reply> {
    const { rowCount } = await pool.query(
      `select from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname = $1`,
      [request.path],
    );
    if (rowCount === 0) {
      const message = `Could not find the table 'public.${request.path}' in the schema cache`;
      return { status: 404, body: { code: 'PGRST205', details: null, hint: null, message } };
    }
    const { rows } = await transaction(tableStatement(request), request, { claims, timeout: undefined });
    const { body, total } = rows[0] as { body: unknown[] | null; total: number | null };
    const range = `${body === null || body.length === 0 ? '*' : `0-${body.length - 1}`}/${total ?? '*'}`;
    const status = { POST: 201, GET: 200, HEAD: 200 }[request.method] ?? 200;
    return { status, headers: { 'content-range': range }, ...(request.method === 'HEAD' ? {} : { body: body ?? [] }) };
  }

  /** One request is one transaction: role, claims and limits are set for it, and gone with it. */
  async function transaction(
    statement: Statement,
    { method, path, role }: RestRequest,
    { claims, timeout }: { claims: Claims; timeout: string | undefined },
  ): Promise<pg.QueryResult> {
    const acting = claims.role ?? role;
    const reads = method === 'GET' || method === 'HEAD';
    const client = await pool.connect();
    try {
      await client.query(`begin isolation level read committed read ${reads ? 'only' : 'write'}`);
      await client.query(
        `select set_config('search_path', '"public", "extensions"', true), set_config('role', $1, true),
           set_config('request.jwt.claims', $2, true), set_config('request.method', $3, true), set_config('request.path', $4, true),
           set_config('statement_timeout', $5, true)`,
        [
          acting,
          JSON.stringify({ role: acting, ...claims }),
          method,
          `/${path}`,
          timeout ?? STATEMENT_TIMEOUTS[acting],
        ],
      );
      const result = await client.query(statement);
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch(() => {});
      throw error;
    } finally {
      client.release();
    }
  }

  return {
    async handle(request) {
      let claims: Claims = {};
      try {
        if (request.bearer !== undefined) claims = await verify(request.bearer);
        return await (request.path.startsWith('rpc/') ? call(request, claims) : table(request, claims));
      } catch (error) {
        return failed(error, claims.role ?? request.role);
      }
    },
    close: () => pool.end(),
  };
}

const OPERATORS: Record<string, string> = { eq: '=', neq: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=', like: 'like' };
const RESERVED = new Set(['select', 'order', 'limit', 'offset', 'columns', 'on_conflict']);

function tableStatement({ method, path, searchParams, body, prefer }: RestRequest): Statement {
  const values: unknown[] = [];
  const conditions = [...searchParams].flatMap(([column, filter]) => {
    if (RESERVED.has(column)) return [];
    const [, operator = 'eq', value] = /^(\w+)\.(.*)$/s.exec(filter) ?? [];
    return [`${pg.escapeIdentifier(column)} ${OPERATORS[operator] ?? '='} $${values.push(value)}`];
  });
  const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`;
  const relation = `public.${pg.escapeIdentifier(path)}`;
  const columns = columnsOf(searchParams.get('select'));
  const returning = prefer.includes('return=representation') ? `returning ${columns}` : 'returning null';
  const rows = (source: string) => ({
    text: `with t as (${source}) select coalesce((select json_agg(t) from t), '[]') as body, null as total`,
    values,
  });
  if (method === 'POST') {
    values.push(body);
    const names = Object.keys([JSON.parse(body)].flat()[0] ?? {})
      .map(pg.escapeIdentifier)
      .join(', ');
    const merge = prefer.includes('resolution=merge-duplicates') ? 'on conflict do nothing' : '';
    const source = `select ${names} from json_populate_recordset(null::${relation}, $${values.length})`;
    return rows(`insert into ${relation} (${names}) ${source} ${merge} ${returning}`);
  }
  if (method === 'PATCH') {
    const set = Object.entries(JSON.parse(body) as object).map(
      ([column, value]) => `${pg.escapeIdentifier(column)} = $${values.push(value)}`,
    );
    return rows(`update ${relation} set ${set.join(', ')} ${where} ${returning}`);
  }
  if (method === 'DELETE') return rows(`delete from ${relation} ${where} ${returning}`);
  const [, order, direction] = /^(\w+)(?:\.(asc|desc))?/.exec(searchParams.get('order') ?? '') ?? [];
  const by = order === undefined ? '' : `order by ${pg.escapeIdentifier(order)} ${direction ?? ''}`;
  const limit = `limit ${Number(searchParams.get('limit') ?? 1_000)} offset ${Number(searchParams.get('offset') ?? 0)}`;
  const total = prefer.includes('count=exact') ? `(select count(*)::int from ${relation} ${where})` : 'null::int';
  return {
    text: `select coalesce(json_agg(t), '[]') as body, ${total} as total from (select ${columns} from ${relation} ${where} ${by} ${limit}) t`,
    values,
  };
}

function columnsOf(select: string | null): string {
  return select === null || select === '*' ? '*' : select.split(',').map(pg.escapeIdentifier).join(', ');
}

function unknownFunction(name: string, given: string[]): Reply {
  const message = `Could not find the function public.${name}(${given.join(', ')}) in the schema cache`;
  return {
    status: 404,
    body: { code: 'PGRST202', details: 'Searched by name and argument names.', hint: null, message },
  };
}

// https://docs.postgrest.org/en/v14/references/errors.html#status-codes
const STATUSES: [pattern: RegExp, status: number][] = [
  [/^(08|53(?!400))/, 503],
  [/^(0L|0P|28)/, 403],
  [/^(23503|23505)$/, 409],
  [/^25006$/, 405],
  [/^(42883|42P01)$/, 404],
  [/^(09|2[5D]|3[89B]|40|5[34578]|F0|HV|P0(?!001)|XX|42P17)/, 500],
];

function failed(error: unknown, role: string): Reply {
  if (error instanceof errors.JOSEError) {
    const expired = error instanceof errors.JWTExpired;
    const body = { code: expired ? 'PGRST303' : 'PGRST301', details: null, hint: null };
    return { status: 401, body: { ...body, message: expired ? 'JWT expired' : 'JWSError JWSInvalidSignature' } };
  }
  const { code, detail = null, hint = null, message } = error as pg.DatabaseError;
  if (code === undefined || !/^[0-9A-Z]{5}$/.test(code)) {
    const body = {
      code: 'PGRST000',
      details: message,
      hint: null,
      message: 'Database connection error. Retrying the connection.',
    };
    return { status: 503, body };
  }
  return { status: statusOf(code, role), body: { code, details: detail, hint, message } };
}

function statusOf(code: string, role: string): number {
  const own = /^PT(\d{3})$/.exec(code)?.[1];
  if (own !== undefined) return Number(own);
  if (code === '42501') return role === 'anon' ? 401 : 403;
  return STATUSES.find(([pattern]) => pattern.test(code))?.[1] ?? 400;
}
