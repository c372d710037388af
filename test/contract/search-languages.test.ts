import { readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { call, plan } from '../support/calls.ts';
import { test } from '../support/world.ts';

type Search = { kind: string; title: string; queries: string[] };

/** One task for each; what finds it, and nothing else. */
const SEARCHES: Search[] = JSON.parse(readFileSync(new URL('../fixtures/searches.json', import.meta.url), 'utf8'));

async function planned(ctx: Context): Promise<void> {
  await plan(
    ctx,
    SEARCHES.map(({ title }) => ({ title })),
  );
}

async function titlesFor(ctx: Context, query: string): Promise<string[]> {
  const { hits } = await call(ctx, 'search', { query, project: 'web', kinds: ['task'] });
  return (hits as { title: string }[]).map(({ title }) => title);
}

test('a search finds words of any script and case, beside any punctuation, and parts of the names of code', async ({
  as,
}) => {
  await planned(as('ada'));

  const wrong: object[] = [];
  for (const { title, queries } of SEARCHES) {
    for (const query of queries) {
      const found = await titlesFor(as('ada'), query);
      if (found.length !== 1 || found[0] !== title) wrong.push({ title, query, found });
    }
  }

  expect(wrong).toEqual([]);
});

test('a list filtered by a word finds it in any script and case', async ({ as }) => {
  await planned(as('ada'));

  for (const [query, title] of [
    ['ошибка', 'Ошибка базы данных'],
    ['übersicht', 'ÜBERSICHT drucken'],
    ['etat', 'État du serveur'],
    ['ΒΆΣΗΣ', 'Σφάλμα βάσης δεδομένων'],
    ['验证', '登录页面需要验证码'],
    ['getuserbyid', 'Rename getUserById in HTTPServer'],
  ]) {
    const { tasks } = await call(as('ada'), 'list_tasks', { query });
    expect(
      tasks.map((task) => task['title']),
      query,
    ).toEqual([title]);
  }
});

describe('a snippet', () => {
  test.for([
    ['Der Vertrag über die Übersicht — „Anlage“ (3)', 'anlage', '„**Anlage**“ (3)'],
    ['Nach dem Fehler: «ОШИБКА», снова', 'ошибка', '«**ОШИБКА**», снова'],
    ['The call of getUserById() fails', 'user', 'of **getUserById**() fails'],
    ['用户在登录页面需要输入验证码才能继续', '验证码', '输入**验证码**才能继续'],
  ] as const)('of %s marks what %s found', async ([text, query, snippet], { as }) => {
    await plan(as('ada'), []);
    await call(as('ada'), 'record_event', { project: 'web', kind: 'note', text });

    const { hits } = await call(as('ada'), 'search', { query, project: 'web', kinds: ['event'] });

    expect((hits as { snippet: string }[])[0]?.snippet).toContain(snippet);
  });
});

test('a text of every script is put into words in time that grows with its length', async ({ sql }) => {
  for (const part of ['页', 'ё', 'ا', 'aB', 'é', 'a\u0301', '가', '“', 'ก', '\u{1f680}', 'C++', 'aB1']) {
    const timeOf = async (length: number): Promise<number> => {
      const started = performance.now();
      await sql.query(
        `select app.search_vector('event', gen_random_uuid(), gen_random_uuid(), left(repeat($1, $2), $2))`,
        [part, length],
      );
      return performance.now() - started;
    };
    await timeOf(7_500);
    const small = Math.min(await timeOf(7_500), await timeOf(7_500));
    const large = Math.min(await timeOf(30_000), await timeOf(30_000));

    expect(large / Math.max(small, 2), part).toBeLessThan(10);
  }
});
