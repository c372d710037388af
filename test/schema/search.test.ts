import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type pg from 'pg';
import { describe, expect, inject } from 'vitest';
import type { Context } from '../../src/context.ts';
import { postgresDatabase } from '../../src/db/postgres.ts';
import { call, plan } from '../support/calls.ts';
import { growthOf, spent } from '../support/costs.ts';
import { test } from '../support/world.ts';

type Hit = { title: string; snippet: string };

async function find(ctx: Context, query: string, input: object = {}): Promise<Hit[]> {
  const { hits } = await call(ctx, 'search', { query, project: 'web', ...input });
  return hits as Hit[];
}

describe('a search', () => {
  test.for<[query: string, found: string[]]>([
    ['payment', ['Declined cards', 'Payment retry', 'Refunds']],
    ['payments retried', ['Payment retry']],
    ['"payment retry"', ['Payment retry']],
    ['"retry payment"', []],
    ['payment NOT card', ['Payment retry', 'Refunds']],
    ['retry OR invoice', ['Invoices', 'Payment retry']],
    [
      'payment retry or refund failure or invoice error or card declined',
      ['Declined cards', 'Invoices', 'Payment retry'],
    ],
    ['cart-service', ['Invoices']],
    ["customer's", ['Refunds']],
    ['shop.test/refund', ['Refunds']],
    [`payment ${'or nothing '.repeat(31)}`, ['Declined cards', 'Payment retry', 'Refunds']],
  ])('for %s finds what says so', async ([query, found], { as }) => {
    await plan(as('ada'), [
      { title: 'Payment retry', description: 'A payment retry waits for a second.' },
      { title: 'Refunds', description: "The customer's payment goes back: see shop.test/refund for more." },
      { title: 'Invoices', description: 'An invoice error of the cart-service.' },
      { title: 'Declined cards', description: 'The card was declined before payment.' },
    ]);

    const hits = await find(as('ada'), query, { kinds: ['task'] });

    expect(hits.map(({ title }) => title).sort()).toEqual(found);
  });

  test('goes on past what is gone', async ({ as, people, sql }) => {
    await plan(as('ada'), [{ title: 'Payment retry' }, { title: 'Payment of a payment' }]);
    // The row of a document that is not there any more, before all others.
    await sql.query(
      `insert into app.search_documents (tenant_id, kind, id, words)
         select tenant_id, kind, gen_random_uuid(), words || to_tsvector('payment payment payment') from app.search_documents
         where tenant_id = $1 and kind = 'task'`,
      [people.owner.tenant_id],
    );

    const found: Hit[] = [];
    let cursor: unknown;
    do {
      const page = await call(as('ada'), 'search', { query: 'payment', kinds: ['task'], page_size: 1, cursor });
      found.push(...(page['hits'] as Hit[]));
      cursor = page['next_cursor'];
    } while (cursor !== undefined);

    expect(found.map(({ title }) => title).sort()).toEqual(['Payment of a payment', 'Payment retry']);
  });

  test.for<[what: string, text: string, query: string, snippet: string]>([
    ['the beginning', 'The payment failed twice.', 'payment', '**payment** failed twice'],
    ['a place far behind', `${'lorem ipsum '.repeat(1_500)}the payment failed`, 'payment', 'the **payment** failed'],
    [
      'where the words are together, not the first of them',
      `a payment ${'lorem ipsum '.repeat(900)}a payment retry`,
      'payment retry',
      'a **payment** **retry**',
    ],
    [
      'any word where they are nowhere together',
      `${'lorem ipsum '.repeat(900)}a payment ${'lorem ipsum '.repeat(90)}a retry`,
      'retry payment',
      'a **payment** lorem',
    ],
    ['the beginning where no word is to be found', 'Nothing of the kind.', 'NOT payment', 'Nothing of the kind'],
    ['no word that is not wanted', 'The card or the payment', 'card or NOT payment', '**card** or the payment'],
  ])('shows %s', async ([, text, query, snippet], { as }) => {
    await plan(as('ada'), []);
    await call(as('ada'), 'record_event', { project: 'web', kind: 'note', text });

    const [hit] = await find(as('ada'), query, { kinds: ['event'] });

    expect(hit?.snippet).toContain(snippet);
  });

  test('shows the beginning of a long text where a page is of many', async ({ as }) => {
    await plan(as('ada'), []);
    await call(as('ada'), 'record_event', { project: 'web', kind: 'note', text: `${'lorem '.repeat(2_000)} payment` });

    const [one] = await find(as('ada'), 'payment', { page_size: 10 });
    const [ofMany] = await find(as('ada'), 'payment', { page_size: 50 });

    expect([one?.snippet.includes('**payment**'), ofMany?.snippet.includes('**payment**')]).toEqual([true, false]);
  });

  test('among a hundred kinds at most', async ({ as }) => {
    await plan(as('ada'), [{ title: 'Payment' }]);
    const { db, actor } = as('ada');
    const among = (kinds: number) => db.call('search', { query: 'payment', kinds: Array(kinds).fill('task') }, actor);

    await expect(among(101)).rejects.toMatchObject({ code: 'invalid_input', details: { field: 'kinds' } });
    expect(await among(100)).toMatchObject({ hits: [{ title: 'Payment' }] });
  });

  test('of more than 32 words is refused', async ({ as }) => {
    await plan(as('ada'), []);
    const words = Array.from({ length: 33 }, (_, at) => `w${at}`);

    await expect(find(as('ada'), words.join(' '))).rejects.toMatchObject({
      code: 'invalid_input',
      details: { field: 'query' },
    });
    expect(await find(as('ada'), words.slice(1).join(' '))).toEqual([]);
  });
});

// Enough words that often occur together: ranking them without a limit would take quadratic time.
const WORDS = [...'bcdfghjklmnpqrtvwxz'].flatMap((letter) => [`q${letter}`, `z${letter}`]).slice(0, 32);

/** 40 notes of 20,000 characters: full of matches, of places for each word, and of what the parser goes back in. */
const NOTES = [
  ...Array(30).fill('rust code '.repeat(2_000)),
  ...['_a', './', '1_', '<!-- ', 'a-', 'x '].map((part) => part.repeat(10_000)),
  ...Array(4).fill(Array.from({ length: 4_000 }, (_, at) => at.toString(36).padStart(4, 'w')).join(' ')),
].map((text) => text.slice(0, 20_000));

/** A task whose texts are full of these words. */
const TASK = {
  title: 'All of them',
  description: `${WORDS.join(' ')} `.repeat(300).slice(0, 20_000),
  acceptance_criteria: Array(10).fill(`${WORDS.join(' ')} `.repeat(20).slice(0, 1_000)),
};

const SHAPES: [what: string, query: string][] = [
  ['two words', 'rust code'],
  ...[2, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 30].map((times): [string, string] => [
    `${times} pairs`,
    'rust or code '.repeat(times),
  ]),
  ...[8, 16, 40].map((times): [string, string] => [`${times} phrases`, '"rust code" '.repeat(times)]),
  ['phrases joined by or', `rust${' or "rust code"'.repeat(15)}`],
  ['a long phrase', `"${'rust code '.repeat(15)}"`],
  ['a long phrase that is nowhere', `"${'code code '.repeat(16)}"`],
  ['pairs with a negation', 'rust NOT nothing or code NOT nowhere or '.repeat(7)],
  ['negations alone', 'NOT nothing or NOT nowhere or '.repeat(15)],
  ['words that all occur, and often', WORDS.join(' ')],
  ['many words', Array.from({ length: 32 }, (_, at) => `ww1${at.toString(36)}`).join(' or ')],
  ['words of one letter', 'b c d e '.repeat(60)],
  ['words of one letter joined by or', 'b or c or d or x or '.repeat(8)],
  ['a run without a blank', '_a'.repeat(240)],
  ['stars and colons', 'rust:* code:* ru* (rust | code) & !x '.repeat(4)],
];

const part = fc.constantFrom(
  'rust',
  'code',
  ...WORDS,
  'or',
  'x',
  'NOT x',
  'NOT rust',
  '-rust',
  '"rust code"',
  'NOT "code rust"',
  '"',
  'a-b',
  '_a',
  './',
);
const query = fc.array(part, { minLength: 1, maxLength: 90 }).map((parts) => parts.join(' ').slice(0, 500));

async function writeMuch(ctx: Context): Promise<void> {
  await plan(ctx, []);
  for (const text of NOTES) await call(ctx, 'record_event', { project: 'web', kind: 'note', text });
  for (let at = 0; at < 4; at++) await call(ctx, 'create_tasks', { project: 'web', tasks: Array(10).fill(TASK) });
}

/** Gives the caller one connection, whose backend bears what its calls cost. */
async function withBackend(ctx: Context, sql: pg.Pool, work: (ctx: Context, pid: number) => Promise<void>) {
  const application_name = crypto.randomUUID();
  const db = postgresDatabase({ connection: { ...inject('server'), application_name }, connectionsMax: 1 });
  try {
    await writeMuch({ ...ctx, db });
    // Calls that nobody waits for have a connection of their own.
    const { rows } = await sql.query(
      `select pid from pg_stat_activity where application_name = $1 and query !~ 'pg_notify|report_presence'`,
      [application_name],
    );
    expect(rows).toHaveLength(1);
    await work({ ...ctx, db }, rows[0].pid);
  } finally {
    await db.close();
  }
}

/** Searches; the query may also be refused. */
async function search(ctx: Context, query: string): Promise<void> {
  const refusal = await find(ctx, query.slice(0, 500), { page_size: 50 }).then(
    () => undefined,
    (error) => error,
  );
  if (refusal !== undefined) expect(refusal).toMatchObject({ code: 'invalid_input' });
}

// Time of a processor: three times what the worst of them takes.
const SEARCH_MS_MAX = 2_000;
const MEMORY_MB_MAX = 64;

describe('a search of any shape', () => {
  test('costs little time', { timeout: 180_000 }, async ({ as, sql }) => {
    await withBackend(as('ada'), sql, async (ada, pid) => {
      const costOf = async (query: string) => {
        const before = await spent(pid);
        await search(ada, query);
        return (await spent(pid)) - before;
      };

      // The first one ends it: those that follow would cost a multiple.
      for (const [what, query] of SHAPES) expect(await costOf(query), what).toBeLessThan(SEARCH_MS_MAX);

      const anything = fc.asyncProperty(query, async (query) => {
        expect(await costOf(query)).toBeLessThan(SEARCH_MS_MAX);
      });
      await fc.assert(anything, { numRuns: 25 });
    });
  });

  test('costs little memory', { timeout: 180_000 }, async ({ as, sql, skip }) => {
    skip(process.platform !== 'linux', 'The memory of a process is read from /proc, which is of Linux.');
    await withBackend(as('ada'), sql, async (ada, pid) => {
      await search(ada, 'rust');
      const before = peakMb(pid);

      for (const [what, query] of SHAPES) {
        await search(ada, query);
        expect(peakMb(pid) - before, what).toBeLessThan(MEMORY_MB_MAX);
      }
    });
  });
});

/** The most memory that a process has had. */
function peakMb(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;
}

// Four times the text: four times the time where it grows with the length, sixteen times where it grows with its
// square.
const TEXT_GROWTH_MAX = 8;

test.for(['_a', 'a_', '1_', './', '~/', '<!--', '<!-- ', '<!--a '])(
  'a text of %s is put into words in time that grows with its length',
  async (part, { sql }) => {
    const client = await sql.connect();
    const put = (length: number) => () =>
      client.query(
        `select app.search_vector('event', gen_random_uuid(), gen_random_uuid(), left(repeat($1, $2), $2))`,
        [part, length],
      );

    const growth = await growthOf(client, [put(7_500), put(30_000)], TEXT_GROWTH_MAX).finally(() => client.release());

    expect(growth).toBeLessThan(TEXT_GROWTH_MAX);
  },
);
