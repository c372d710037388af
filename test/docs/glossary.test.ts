import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const EXPORTED = /^export (?:async )?(?:const|function\*?|class|type|interface) (\w+)/gm;

/** Plurals compare as their singulars; `process` keeps its end. */
const singular = (word: string) => word.replace(/(?<=[^s])s$/, '');
const wordsOf = (name: string) => name.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g)?.map((word) => word.toLowerCase()) ?? [];

/** The words of the last table, without what is said about them in brackets. */
async function refused(): Promise<Set<string>> {
  const [, table = ''] = (await readFile(new URL('docs/glossary.md', ROOT), 'utf8')).split('## Not');
  const cells = [...table.matchAll(/^\| [^|]+ \| ([^|]+) \|$/gm)].map(([, cell = '']) => cell);
  return new Set(
    cells
      .flatMap((cell) => cell.split(', '))
      .filter((word) => word !== 'not' && !word.includes('('))
      .map(singular),
  );
}

test('no file and no export has a word that the glossary refuses', async () => {
  const words = await refused();
  expect(words.size).toBeGreaterThan(10);
  const wrong: string[] = [];
  for (const folder of ['src/', 'bench/', 'scripts/']) {
    for (const path of await readdir(new URL(folder, ROOT), { recursive: true })) {
      if (!path.endsWith('.ts')) continue;
      const source = await readFile(new URL(`${folder}${path}`, ROOT), 'utf8');
      const names = [path, ...[...source.matchAll(EXPORTED)].map(([, name = '']) => name)];
      wrong.push(
        ...names
          .filter((name) => wordsOf(name).some((word) => words.has(singular(word))))
          .map((name) => `${path}: ${name}`),
      );
    }
  }

  expect(wrong).toEqual([]);
});
