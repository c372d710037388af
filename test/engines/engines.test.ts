import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import type { FunctionName } from '../../src/db/functions.ts';
import { openEngine } from '../../src/db/open.ts';
import { createLog } from '../../src/log.ts';
import { READS } from '../support/categories.ts';
import type { Caller } from '../support/commands.ts';
import { databaseUrl } from '../support/database-url.ts';
import { ENGINES, type Engine, type EngineName, openTestEngine } from '../support/engine.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';
import { SECRET_KEY } from '../support/supabase.ts';

let scratch: Scratch;
const engines = new Map<EngineName, Engine>();

beforeAll(async () => {
  scratch = await createScratch();
  for (const name of ENGINES) engines.set(name, await openTestEngine(name, scratch.connection));
});

afterAll(async () => {
  await Promise.all([...engines.values()].map((engine) => engine.close()));
  await scratch.drop();
});

function engineNamed(name: EngineName): Engine {
  return engines.get(name) as Engine;
}

const ASKED: [fn: FunctionName, args: Record<string, unknown>][] = [
  ...(Object.entries(READS) as [FunctionName, Record<string, unknown>][]),
  ['list_tasks', { project: 'web', page_size: 2 }],
  ['list_events', { project: 'web', after_seq: 0, page_size: 5 }],
  ['search', { query: 'buyer' }],
  ['suggest_refs', { kind: 'task', prefix: 'web' }],
  ['get_state', { project: 'web', seq: 3 }],
  ['export_events', { project: 'web', page_size: 3 }],
  ['verify_events', {}],
  ['get_task', { task: 'web-99' }],
  ['claim_task', { task: 'web-1' }],
  ['extend_lock', { task: 'web-2', lock_token: 1 }],
  ['append_events', { events: [] }],
  ['append_events', { events: [{ stream: 'task:web-1', type: 'task.invented', data: {} }] }],
  ['search', { query: 'a\0b' }],
  ['list_tasks', { cursor: 'no cursor' }],
];

/**
 * Returns all that an agent learns from a life and from these questions. Ids and times are numbered, because they
 * differ.
 */
async function transcript({ db, actor }: Caller): Promise<unknown[]> {
  await fillWorkspace({ db, actor: { ...actor, agent: 'ada', client: 'test' } });
  const learned: unknown[] = [];
  for (const [fn, args] of ASKED) {
    const outcome = await db.call(fn, args, { ...actor, agent: 'ada', client: 'test' }).then(
      (result) => ({ result }),
      ({ code, message, hint, details, retryable }) => ({ code, message, hint, details, retryable }),
    );
    learned.push([fn, args, outcome]);
  }
  const seen = new Map<string, string>();
  // Users who sign in to Supabase are named by their address.
  const named = JSON.stringify(learned)
    .replace(/ada-[\w-]{36}@cairn\.test/g, 'ada')
    .replace(/"(duration_ms|average_response_time)":\d+/g, '"$1":0');
  const text = named.replace(
    /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{64}|eyJ[\w=+/-]+|\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-][\d:]+)?/g,
    (value) => {
      // Times, hashes and cursors; an id may come again.
      if (value.length !== 36) return '<…>';
      seen.set(value, seen.get(value) ?? `<id ${seen.size}>`);
      return String(seen.get(value));
    },
  );
  return JSON.parse(text);
}

describe('one contract', () => {
  test('the same life and the same questions give the same answers and refusals on every engine', async () => {
    const people = await Promise.all(ENGINES.map((name) => engineNamed(name).signIn('ada')));

    const [embedded, ...others] = await Promise.all(people.map(transcript));

    for (const other of others) expect(other).toEqual(embedded);
    expect(embedded).toHaveLength(ASKED.length);
  });
});

// Each has a row in docs/engines.md.
describe('the engines differ', () => {
  test.for(ENGINES)('in whose word on the actor is believed: %s', async (name) => {
    const engine = engineNamed(name);
    const [ada, eve] = [await engine.signIn('ada'), await engine.signIn('eve')];

    const attempt = ada.db.call('list_projects', {}, eve.actor);

    if (name === 'supabase') await expect(attempt).rejects.toMatchObject({ code: 'forbidden' });
    else expect(await attempt).toMatchObject({ projects: [] });
  });

  test.for(ENGINES)('in who may say that someone signed in: %s', async (name) => {
    const ada = await engineNamed(name).signIn('ada');

    const identity = { issuer: 'test', subject: randomUUID(), name: 'X' };
    const attempt = ada.db.call('sign_in', { identity }, { user_id: '' });

    if (name === 'supabase') await expect(attempt).rejects.toMatchObject({ code: 'forbidden' });
    else expect(await attempt).toMatchObject({ role: 'owner' });
  });

  test('in whether there is a connection of its own, to listen on and to migrate over', async () => {
    const log = createLog('silent');
    const url = databaseUrl(inject('server'));
    const postgres = await openEngine(readConfig({ databaseUrl: url }, {}), log);
    const env = { SUPABASE_URL: 'http://127.0.0.1:1', SUPABASE_SECRET_KEY: SECRET_KEY };
    const supabase = await openEngine(readConfig({}, env), log);

    const client = await postgres.connect();
    const none = supabase.connect();

    expect([postgres.isPooled(), supabase.isPooled()]).toEqual([false, true]);
    await expect(none).rejects.toMatchObject({ hint: expect.stringContaining('--database-url') });
    await client.end();
    await Promise.all([postgres.close(), supabase.close()]);
  });
});
