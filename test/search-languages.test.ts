import { describe, expect } from 'vitest';
import type { Context } from '../src/context.ts';
import { call, plan } from './support/calls.ts';
import { test } from './support/world.ts';

// One task for each; what finds it, and nothing else.
const FOUND: [title: string, ...queries: string[]][] = [
  ['Ошибка базы данных', 'ошибка', 'ОШИБКИ', 'баз данных', '"базы данных"'],
  ['Ещё один отчёт: сводка', 'отчет', 'СВОДКИ'],
  ['Помилка резервного копіювання', 'помилка', 'КОПІЮВАННЯ'],
  ['ÜBERSICHT drucken', 'übersicht', 'Ubersicht', 'DRUCKEN'],
  ['Straße und Größe prüfen', 'STRASSE', 'grosse', 'prüfen'],
  ['État du serveur', 'état', 'ETAT', 'serveur'],
  ['Œuvre complète de l’auteur', 'oeuvre', 'auteur'],
  ['Señal perdida en São Paulo', 'senal', 'são paulo'],
  ['İstanbul bağlantısı', 'istanbul', 'BAĞLANTISI'],
  ['Σφάλμα βάσης δεδομένων', 'σφαλμα', 'ΒΆΣΗΣ', 'δεδομένων'],
  ['שגיאת מסד הנתונים', 'מסד', 'שגיאת'],
  ['خطأ في قاعدةِ البيانات، مرة أخرى', 'قاعدة', 'البيانات'],
  ['خروجی می‌خواهم', 'می خواهم', 'خروجی'],
  ['डेटाबेस त्रुटि। फिर से', 'डेटाबेस', 'त्रुटि'],
  ['登录页面需要验证码', '验证码', '登录', '页', '需要验证'],
  ['ログイン画面の修正（全画面）', 'ログイン', '画面', 'ﾛｸﾞｲﾝ', '全画面'],
  ['데이터베이스의 오류를 고친다', '데이터베이스', '오류', '고친다'],
  ['แก้ไขข้อผิดพลาดของฐานข้อมูล', 'ฐานข้อมูล', 'ข้อผิดพลาด'],
  ['Սխալ տվյալների բազայում', 'ՍԽԱԼ', 'բազայում'],
  ['Retry—backoff for “idempotent” calls…', 'backoff', 'idempotent', 'calls', '"retry backoff"'],
  ['Drop rm -rf from the cleanup', 'rm -rf', '-rf', 'cleanup'],
  ['Start it with --no-verify=1', '--no-verify', 'no-verify', 'verify'],
  ['Port the parser to C++20', 'C++', 'parser c++'],
  ['Port the lexer to C#', 'c#', 'LEXER'],
  ['The .NET runtime', '.NET', 'net'],
  [
    'Rename getUserById in HTTPServer',
    'getUserById',
    'getuserbyid',
    'UserById',
    'HTTPServer',
    'httpserver',
    'HTTP server',
  ],
  ['Split user_account_table', 'user_account_table', 'account', 'account_table'],
  ['Move src/auth/public-fetch.ts', 'public-fetch', 'src/auth', 'public-fetch.ts', 'fetch.ts'],
  ['Update @scope/pkg to v1.2.3', '@scope/pkg', 'v1.2.3', '1.2.3', 'scope pkg'],
  ['Read https://shop.test/a?b=c#d and x@y.test', 'shop.test/a', 'y.test', 'https://shop.test'],
  ['PostgreSQL, GitHub & JavaScript 🚀', 'postgresql', 'GitHub', 'github', 'javascript 🚀'],
];

async function planned(ctx: Context): Promise<void> {
  await plan(
    ctx,
    FOUND.map(([title]) => ({ title })),
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
  for (const [title, ...queries] of FOUND) {
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
