import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { call, plan, take } from '../support/calls.ts';
import { test } from '../support/world.ts';

/** Matches a glob wildcard by wildcard. Only for short globs, because JavaScript's expressions backtrack. */
function matches(path: string, glob: string): boolean {
  const pattern = glob
    .replace(/[.+^$(){}|[\]\\]/g, '\\$&')
    .replace(
      /\*\*\/|\*\*|[*?]/g,
      (wildcard) => ({ '**/': '(.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' })[wildcard] ?? '',
    );
  return new RegExp(`^${pattern}$`, 's').test(path);
}

const pair = fc.record({
  path: fc
    .array(fc.constantFrom('a', 'b', '/', '.', 'é'), { minLength: 1, maxLength: 12 })
    .map((parts) => parts.join('')),
  glob: fc
    .array(fc.constantFrom('a', 'b', '/', '.', '*', '*', '**/', '**', '?', '[a]', '(a|b)'), {
      minLength: 1,
      maxLength: 8,
    })
    .map((parts) => parts.join(''))
    // The last two of three stars before a slash are the wildcard.
    .filter((glob) => !/\*{3,}\//.test(glob)),
});

describe('a glob', () => {
  test('matches what each of its wildcards says, however many follow each other', async ({ sql }) => {
    const asSaid = fc.asyncProperty(fc.array(pair, { minLength: 50, maxLength: 50 }), async (pairs) => {
      const { rows } = await sql.query(
        `select p ->> 'path' as path, p ->> 'glob' as glob, p ->> 'path' ~ app.glob_pattern(p ->> 'glob') as matched
           from jsonb_array_elements($1) p`,
        [JSON.stringify(pairs)],
      );

      expect(rows).toEqual(pairs.map(({ path, glob }) => ({ path, glob, matched: matches(path, glob) })));
    });
    await fc.assert(asSaid, { numRuns: 40 });
  });

  test.for<[glob: string, matching: string[], other: string[]]>([
    ['src/**', ['src/a', 'src/a/b.ts'], ['src', 'asrc/a']],
    ['**/*.pem', ['a.pem', 'x/y/a.pem'], ['a.pem.txt']],
    ['**/.env*', ['.env', 'x/.env.local'], ['x/a.env']],
    ['*.md', ['README.md'], ['docs/a.md']],
    ['a/?/c', ['a/b/c'], ['a/bb/c', 'a///c', 'a/c']],
    ['***/x', ['x', 'a/x', 'a/b/x'], ['a/xy']],
    ['a(1).ts', ['a(1).ts'], ['a1.ts']],
  ])('%s matches as it is documented', async ([glob, matching, other], { sql }) => {
    const { rows } = await sql.query(
      `select app.out_of_scope(jsonb_build_object('paths', jsonb_build_array($1::text)), $2) as outside`,
      [glob, [...matching, ...other]],
    );

    expect(rows).toEqual([{ outside: other }]);
  });

  test('of a task has at most sixteen wildcards, as one of a project', async ({ as }) => {
    await plan(as('ada'), []);
    const constrained = (glob: string) =>
      call(as('ada'), 'create_tasks', { project: 'web', tasks: [{ title: 'A', constraints: { paths: [glob] } }] });

    await expect(constrained('*a'.repeat(17))).rejects.toMatchObject({
      code: 'invalid_input',
      details: { field: 'constraints.paths' },
    });
    await constrained('*a'.repeat(16));
    await constrained('**/'.repeat(300));
  });
});

const times = (count: number, of: (at: number) => string) => Array.from({ length: count }, (_, at) => of(at));

const HOSTILE: [what: string, glob: (at: number) => string, file: (at: number) => string][] = [
  ['folders that repeat', (at) => `${'**/'.repeat(300)}z${at}`, (at) => `${'a/'.repeat(245)}${at}`],
  ['folders with names between', (at) => `${'**/a/'.repeat(190)}z${at}`, (at) => `${'a/'.repeat(245)}${at}`],
  ['stars with letters between', (at) => `${'*a'.repeat(300)}Z${at}`, (at) => `${'a'.repeat(490)}${at}`],
  ['one letter after another', (at) => `${'?'.repeat(900)}${at}`, (at) => `${'b'.repeat(490)}${at}`],
  ['what begins again at each letter', (at) => `**${'a'.repeat(900)}${at}`, (at) => `${'a'.repeat(490)}${at}b`],
  ['all that is allowed', (at) => `${`**${'a'.repeat(55)}`.repeat(16)}${at}`, (at) => `${'a'.repeat(490)}${at}b`],
];
// Ten times what it takes at rest.
const COMPARE_MS_MAX = 10_000;

async function addDiff(ctx: Context, files: string[]): Promise<{ code: string; ms: number }> {
  const own = await take(ctx, 'web-1', { take_over: true });
  const started = performance.now();
  const code = await call(ctx, 'add_artifact', { ...own, type: 'diff', ref: 'abc123', files }).then(
    () => 'added',
    (error) => error.code,
  );
  return { code, ms: performance.now() - started };
}

describe('comparing files with globs', () => {
  test.for(HOSTILE)('of %s, however they came to be stored, ends soon', async ([, glob, file], { as, sql, people }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const rules = { scope: { deny: times(50, glob) } };
    await sql.query('update public.projects set rules = $2 where tenant_id = $1', [people.owner.tenant_id, rules]);

    const few = await addDiff(as('ada'), times(4, file));
    const many = await addDiff(as('ada'), times(500, file));

    expect(few.ms).toBeLessThan(COMPARE_MS_MAX);
    expect(many.ms).toBeLessThan(COMPARE_MS_MAX);
    expect(many.code).toBe('scope_violation');
  });

  test('at the limit of what is compared ends soon, and says so beyond', async ({ as }) => {
    const [, glob, file] = HOSTILE.at(-1) as (typeof HOSTILE)[number];
    await plan(as('ada'), [{ title: 'A' }], { scope: { deny: times(50, glob) } });

    const within = await addDiff(as('ada'), times(8, file));
    const beyond = await addDiff(as('ada'), times(9, file));

    expect(within.code).toBe('added');
    expect(within.ms).toBeLessThan(COMPARE_MS_MAX);
    expect(beyond.code).toBe('scope_violation');
  });

  test('of hundreds of files with a hundred globs is done', async ({ as }) => {
    const scope = { paths: times(50, (at) => `packages/p${at}/src/**`), deny: times(50, (at) => `**/*.x${at}`) };
    await plan(as('ada'), [{ title: 'A' }], { scope });

    const { code } = await addDiff(
      as('ada'),
      times(500, (at) => `packages/p${at % 50}/src/parts/index${at}.tsx`),
    );

    expect(code).toBe('added');
  });

  test('that is too much leaves every file out of scope', async ({ sql }) => {
    const files = times(500, (at) => `${'a'.repeat(900)}${at}`);
    for (const scope of [
      { deny: ['?'.repeat(17)] },
      { paths: ['**', '*a'.repeat(17)] },
      { paths: ['**', 'b'.repeat(900)] },
    ]) {
      const { rows } = await sql.query('select app.out_of_scope($1, $2) as outside', [scope, files]);

      expect(rows).toEqual([{ outside: files }]);
    }
  });
});
