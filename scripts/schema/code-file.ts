import { readFile } from 'node:fs/promises';
import { hashOf, listSchemaFiles, readSchemaCode, type SqlFile } from '../../src/db/schema/files.ts';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import { VERSION } from '../../src/version.ts';

const DIRECTORY = 'supabase/migrations/';
const MADE_BY = /^-- Made by `npm run schema` of cairn (\S+):/;

/**
 * Returns the path and text of the numbered file, and the paths of those that it replaces: files of this version, which
 * is not released. Released ones stay, and this one is numbered behind them.
 */
export async function codeFile(): Promise<{ path: string; text: string; replaced: string[] }> {
  const { versioned, generated } = listSchemaFiles();
  const code = readSchemaCode();
  await refuseEarly(versioned);
  const read = async (path: string) => MADE_BY.exec(await readFile(path, 'utf8'))?.[1];
  const made = await Promise.all(generated.map(async (file) => ({ ...file, by: await read(file.path) })));
  const released = made.filter(({ by }) => by !== VERSION);
  const last = [...versioned, ...released].reduce((most, { version }) => (version > most ? version : most), '0');
  const path = `${DIRECTORY}${BigInt(last) + 1n}_code.sql`;
  const hashes = await Promise.all(
    versioned.map(async ({ version, path: file }) => [version, hashOf(await readFile(file, 'utf8'))] as const),
  );
  const rows = [...hashes, ['code', code.hash] as const].map(
    ([name, hash]) => `  ('${name}', '${hash}', '${VERSION}')`,
  );
  const text = [
    `-- Made by \`npm run schema\` of cairn ${VERSION}: supabase/code as one file, for the Supabase CLI. Do not edit.\n`,
    refuseOlder(VERSION),
    code.sql,
    'insert into supabase_migrations.cairn_applied (name, hash, program) values',
    `${rows.join(',\n')}`,
    '  on conflict (name) do update',
    '    set hash = excluded.hash, program = excluded.program, applied_at = now();\n',
  ].join('\n');
  const replaced = made
    .filter(({ by }) => by === VERSION)
    .map(({ version, name }) => `${DIRECTORY}${version}_${name}.sql`)
    .filter((file) => file !== path);
  return { path, text, replaced };
}

/** Refuses a new file that databases would meet behind one they have applied. */
async function refuseEarly(versioned: readonly SqlFile[]): Promise<void> {
  const frozen = await readFile(new URL('test/fixtures/frozen-migrations.sha256', PACKAGE_ROOT), 'utf8');
  const isFrozen = ({ version, name }: SqlFile) => frozen.includes(`migrations/${version}_${name}.sql`);
  const last = versioned.filter(isFrozen).at(-1)?.version ?? '';
  const early = versioned.find((file) => !isFrozen(file) && file.version < last);
  if (early === undefined) return;
  throw new Error(
    `${early.version}_${early.name}.sql is numbered before ${last}, which databases have: give it a greater number.`,
  );
}

/** Leaves the code of a newer program in force, as `cairn migrate` does. */
function refuseOlder(version: string): string {
  return `do $$
declare
  v_program text := (select a.program from supabase_migrations.cairn_applied a where a.name = 'code');
begin
  if string_to_array(split_part(v_program, '-', 1), '.')::integer[] > array[${version.replace(/-.*/, '').split('.').join(', ')}] then
    raise exception 'The database has the code of cairn %, which is newer than ${version}.', v_program
      using hint = 'Update this clone, or leave the database to the newer one.';
  end if;
end
$$;
`;
}
