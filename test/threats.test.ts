import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { MUTANTS } from '../scripts/mutants/all.mjs';

// The table of threats in docs/security.md, held against what `npm run mutants` takes away, and against the tests it names.

const ROOT = new URL('../', import.meta.url);
const read = (path: string) => readFile(new URL(path, ROOT), 'utf8');

const rows = [...(await read('docs/security.md')).matchAll(/^\| (T\d+) \|(.*)\|$/gm)].map(
  ([, threat = '', cells = '']) => {
    const [, , where = '', tested = ''] = cells.split('|').map((cell) => cell.trim());
    const [suite = '', name = ''] = tested.split(' › ');
    return { threat, where, suite, name };
  },
);

test('the table tells of each threat once, in order, and mutants are of these', () => {
  const numbers = rows.map(({ threat }) => Number(threat.slice(1)));
  expect(numbers.length).toBeGreaterThanOrEqual(28);
  expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other));
  expect(MUTANTS.map(({ threat }) => threat).filter((threat) => !rows.some((row) => row.threat === threat))).toEqual(
    [],
  );
});

describe.each(rows)('threat $threat', ({ threat, where, suite, name }) => {
  const mutants = MUTANTS.filter((mutant) => mutant.threat === threat);

  test('has a test of the name in the table', async () => {
    const source = await read(`test/${suite}.test.ts`);

    expect(source.replace(/%[sdij]|\$\w+/g, '…')).toContain(name);
  });

  test('has mitigations that can be taken out, each there once and at a place in the table or near it', async () => {
    expect(mutants.length).toBeGreaterThan(0);
    for (const { file, find, replace, test: path } of mutants) {
      const occurrences = (await read(file)).split(find).length - 1;
      expect([file, find, occurrences]).toEqual([file, find, 1]);
      expect(replace).not.toBe(find);
      expect([path, existsSync(new URL(path, ROOT))]).toEqual([path, true]);
    }
    const places = [...where.matchAll(/`([^`]+)`/g)].map(([, place = '']) => place.replace('*', ''));
    expect(places.filter((place) => !mutants.some(({ file }) => file.endsWith(place)))).toEqual([]);
  });
});
