import { readdir, readFile } from 'node:fs/promises';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import type { Described } from './catalogue.ts';

const MADE = /^create (?:or replace )?(?:function|aggregate|view|table|type) ((?:app|public)\.\w+)/gm;
const RENAMED = /^alter table (app|public)\.\w+ rename to (\w+)/gm;
const FOLDERS = ['supabase/migrations/', 'supabase/code/'];
// The objects that applying the code makes from the registry, and the schema itself.
const OTHERS: [name: RegExp, chapter: string][] = [
  [/^app\.(?:apply_|differing_|fold_|folded_|found_document$|index_|list_kinds$|list_searchable$)/, 'categories'],
  [/^app\.lower_case$/, 'text'],
  [/^schema /, 'privileges'],
];
const HEAD =
  '-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.\n';

/**
 * The dump, a text for each chapter: what its file in supabase/code and the one in supabase/migrations of its name
 * make.
 */
export async function byChapter(described: Described[]): Promise<Map<string, string>> {
  const homes = await readHomes();
  const chapters = new Map<string, Described[]>();
  for (const one of described) {
    const name = one.name.replace(/^function /, '').replace(/\(.*$/, '');
    const chapter = homes.get(name) ?? OTHERS.find(([pattern]) => pattern.test(name))?.[1];
    if (chapter === undefined) throw new Error(`${name} is in the database, and no file makes it.`);
    chapters.set(chapter, [...(chapters.get(chapter) ?? []), one]);
  }
  return new Map([...chapters].map(([chapter, objects]) => [chapter, textOf(objects)]));
}

async function readHomes(): Promise<Map<string, string>> {
  const homes = new Map<string, string>();
  for (const folder of FOLDERS) {
    for (const file of (await readdir(new URL(folder, PACKAGE_ROOT))).sort()) {
      const chapter = /^\d+_(\w+)\.sql$/.exec(file)?.[1];
      if (chapter === undefined || chapter === 'code') continue;
      const source = await readFile(new URL(`${folder}${file}`, PACKAGE_ROOT), 'utf8');
      for (const [, name = ''] of source.matchAll(MADE)) homes.set(name, chapter);
      for (const [, schema, name] of source.matchAll(RENAMED)) homes.set(`${schema}.${name}`, chapter);
    }
  }
  return homes;
}

function textOf(objects: Described[]): string {
  const titles = [...new Set(objects.map(({ title }) => title))];
  const parts = titles.map((title) => {
    const texts = objects.filter((one) => one.title === title).map(({ text }) => text);
    const separator = texts.some((text) => text.includes('\n')) ? '\n\n' : '\n';
    return `-- ${title}\n\n${texts.join(separator)}\n`;
  });
  return [HEAD, ...parts].join('\n');
}
