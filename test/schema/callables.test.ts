import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ARCHIVE_FUNCTIONS, AUTH_FUNCTIONS, FUNCTIONS, JOB_FUNCTIONS } from '../../src/db/functions.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

const SERVER_FUNCTIONS = { ...AUTH_FUNCTIONS, ...ARCHIVE_FUNCTIONS, ...JOB_FUNCTIONS };

// Conventions of the functions that the program may call, on a database without the tests' clock.
let scratch: Scratch;

beforeAll(async () => {
  scratch = await createScratch();
});

afterAll(() => scratch.drop());

describe('a callable function', () => {
  type Callable = {
    name: string;
    owner: string;
    definer: boolean;
    config: string[];
    source: string;
    callers: string[];
  };
  let callables: Callable[];

  beforeAll(async () => {
    const { rows } = await scratch.sql.query<Callable>(
      `select p.proname as name, p.proowner::regrole::text as owner, p.prosecdef as definer, p.proconfig as config, p.prosrc as source,
         array(select a.grantee::regrole::text from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
           where a.grantee <> p.proowner order by 1) as callers
       from pg_proc p where p.pronamespace = 'public'::regnamespace order by 1`,
    );
    callables = rows;
  });

  test('runs as cairn_owner with pg_catalog first and pg_temp last in its search_path', () => {
    expect(callables.length).toBeGreaterThan(20);
    for (const { name, owner, definer, config } of callables) {
      expect({ name, owner, definer, config }).toEqual({
        name,
        owner: 'cairn_owner',
        definer: true,
        config: expect.arrayContaining(['search_path=pg_catalog, pg_temp']),
      });
    }
  });

  test('asks PostgREST for more than the usual seconds where it works over a whole log', () => {
    for (const { name, config } of callables) {
      const limit = config.filter((setting) => setting.startsWith('statement_timeout='));
      const kind = FUNCTIONS[name as keyof typeof FUNCTIONS];
      expect([name, limit]).toEqual([name, kind === 'long' ? ['statement_timeout=1min'] : []]);
    }
  });

  test('finds out who acts before anything else', () => {
    for (const { name, source } of callables.filter((callable) => callable.name !== 'sign_in')) {
      const [first] = source.replace(/^\s*declare\s+/, '').split('\n');
      const entered = Object.hasOwn(SERVER_FUNCTIONS, name)
        ? /^v_actor app\.actor := app\.authenticate_(server|workspace|system|person)\(actor[^()]*\);$/
        : /^v_actor app\.actor := app\.authenticate(?:_reader)?\(actor(, '(member|admin)')?\);$/;
      expect([name, first]).toEqual([name, expect.stringMatching(entered)]);
    }
    const signIn = callables.find(({ name }) => name === 'sign_in')?.source ?? '';
    expect(signIn.slice(signIn.indexOf('begin'))).toMatch(
      /^begin\s+if not app\.caller_is_server\(\) then\s+perform app\.fail/,
    );
  });

  test('is executable by signed-in users and the server alone, and what authorizes by the server', () => {
    for (const { name, callers } of callables) {
      const server = ['cairn_server', 'service_role'];
      const alone = name === 'sign_in' || Object.hasOwn(SERVER_FUNCTIONS, name);
      expect([name, callers]).toEqual([name, alone ? server : ['authenticated', ...server]]);
    }
  });

  test('is in the list of the port', () => {
    const names = new Set(callables.map(({ name }) => name));

    expect(Object.keys(FUNCTIONS).filter((name) => !names.has(name))).toEqual([]);
    expect([...names].filter((name) => !Object.hasOwn(FUNCTIONS, name))).toEqual([]);
  });
});
