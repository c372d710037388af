import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { MUTANTS } from '../../scripts/mutants/all.ts';
import { placeOf, readSql, refusalsIn, SQL } from '../../scripts/mutants/sql.ts';

// The table of threats in docs/security.md and the refusals of the SQL, held against what `npm run mutants` takes away,
// and against the tests it names.

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFile(new URL(path, ROOT), 'utf8');
const sqlFiles = await readSql(fileURLToPath(ROOT));

// Suites by their names, whichever folder they are in, and with their folder where two have one name.
const SUITES = new Map(
  (await readdir(new URL('test/', ROOT), { recursive: true })).flatMap((path) =>
    [basename(path, '.test.ts'), path.replace('.test.ts', '')].map((name) => [name, `test/${path}`] as const),
  ),
);

// Mutants of no threat: refusals of the core, and of who looks after access.
const REFUSALS = ['core', 'access'];

const rows = [...(await read('docs/security.md')).matchAll(/^\| (T\d+) \|(.*)\|$/gm)].map(
  ([, threat = '', cells = '']) => {
    const [, , where = '', tested = ''] = cells.split('|').map((cell) => cell.trim());
    const [suite = '', name = ''] = tested.split(' › ');
    return { threat, where, suite, name };
  },
);

test('each threat of the table has a number of its own, in order, and mutants are of these', () => {
  const numbers = rows.map(({ threat }) => Number(threat.slice(1)));
  expect(numbers.length).toBeGreaterThanOrEqual(28);
  expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other));
  const known = [...rows.map(({ threat }) => threat), ...REFUSALS];
  expect(MUTANTS.map(({ threat }) => threat).filter((threat) => !known.includes(threat))).toEqual([]);
});

describe.each(rows)('threat $threat', ({ threat, where, suite, name }) => {
  const mutants = MUTANTS.filter((mutant) => mutant.threat === threat);

  test('has a test of the name in the table', async () => {
    const source = await read(SUITES.get(suite) ?? `no suite ${suite}`);

    expect(source.replace(/%[sdij]|\$\w+/g, '…')).toContain(name);
  });

  test('has mitigations that can be taken out, each there once and at a place in the table or near it', async () => {
    expect(mutants.length).toBeGreaterThan(0);
    const files: string[] = [];
    for (const mutant of mutants) {
      files.push(...(await filesOf(mutant)));
      expect(mutant.replace).not.toBe(mutant.find);
      expect([mutant.test, existsSync(new URL(mutant.test, ROOT))]).toEqual([mutant.test, true]);
    }
    const places = [...where.matchAll(/`([^`]+)`/g)].map(([, place = '']) => place.replace('*', ''));
    expect(places.filter((place) => !files.some((file) => file.endsWith(place)))).toEqual([]);
  });
});

async function filesOf(mutant: (typeof MUTANTS)[number]): Promise<string[]> {
  if (mutant.file === SQL) return [placeOf(sqlFiles, mutant).file];
  const occurrences = (await read(mutant.file)).split(mutant.find).length - 1;
  expect([mutant.file, mutant.find, occurrences]).toEqual([mutant.file, mutant.find, 1]);
  return [mutant.file];
}

test('each refusal of the SQL is taken out by a mutant with a test', async () => {
  const mutants = MUTANTS.filter(({ isRefusal }) => isRefusal);
  const taken = mutants.map((mutant) => placeOf(sqlFiles, mutant));

  const missed = refusalsIn(sqlFiles).filter(
    ({ file, from }) => !taken.some((place) => place.file === file && place.from === from),
  );

  const told = missed.map(({ within, text }) => `${within}: ${text}`);
  expect(told, 'Each needs a mutant: refusals(…) in scripts/mutants, beside those of the same function.').toEqual([]);
  expect(mutants.filter(({ test: path }) => !existsSync(new URL(path, ROOT)))).toEqual([]);
});
