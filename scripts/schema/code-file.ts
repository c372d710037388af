import { readdir, readFile } from 'node:fs/promises';
import { hashOf, readSchemaFiles } from '../../src/db/schema/files.ts';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import { VERSION } from '../../src/version.ts';

const DIRECTORY = 'supabase/migrations/';
const NAME = /^([0-9]+)_code\.sql$/;
const MADE_BY = /^-- Made by `npm run schema` of cairn (\S+):/;

/** The path and text of the numbered file, and the paths of those that it replaces: those of this version, which no release has. */
export async function codeFile(): Promise<{ path: string; text: string; replaced: string[] }> {
  const { versioned, code } = readSchemaFiles();
  const last = versioned.at(-1)?.version ?? '0';
  const path = `${DIRECTORY}${BigInt(last) + 1n}_code.sql`;
  const hashes = await Promise.all(
    versioned.map(async ({ version, path: file }) => [version, hashOf(await readFile(file, 'utf8'))] as const),
  );
  const rows = [...hashes, ['code', code.hash] as const].map(
    ([name, hash]) => `  ('${name}', '${hash}', '${VERSION}')`,
  );
  const text = [
    `-- Made by \`npm run schema\` of cairn ${VERSION}: supabase/code as one file, for the Supabase CLI. Do not edit.\n`,
    code.sql,
    'insert into supabase_migrations.cairn_applied (name, hash, program) values',
    `${rows.join(',\n')}`,
    '  on conflict (name) do update',
    '    set hash = excluded.hash, program = excluded.program, applied_at = now();\n',
  ].join('\n');
  const replaced: string[] = [];
  for (const file of await readdir(new URL(DIRECTORY, PACKAGE_ROOT))) {
    if (!NAME.test(file) || `${DIRECTORY}${file}` === path) continue;
    const made = MADE_BY.exec(await readFile(new URL(`${DIRECTORY}${file}`, PACKAGE_ROOT), 'utf8'));
    if (made?.[1] === VERSION) replaced.push(`${DIRECTORY}${file}`);
  }
  return { path, text, replaced };
}
