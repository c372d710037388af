import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';

/**
 * Puts plpgsql_check into a database, from the packages of Debian where the server itself does not bring it: the
 * bundled PostgreSQL has no such extension. Answers with why it cannot, or null.
 */
export async function installPlpgsqlCheck(sql: pg.Client): Promise<string | null> {
  const { rows } = await sql.query<{ major: string; available: boolean }>(
    `select split_part(current_setting('server_version'), '.', 1) as major,
       exists (select from pg_available_extensions where name = 'plpgsql_check') as available`,
  );
  const { major = '', available = false } = rows[0] ?? {};
  if (available) {
    await sql.query('create extension if not exists plpgsql_check');
    return null;
  }
  const directory = `/usr/share/postgresql/${major}/extension`;
  const scripts = (await readdir(directory).catch(() => [])).filter((file) =>
    /^plpgsql_check--[\d.]+\.sql$/.test(file),
  );
  const script = scripts.sort().at(-1);
  if (script === undefined) return `plpgsql_check is not installed for PostgreSQL ${major}`;
  const source = await readFile(`${directory}/${script}`, 'utf8');
  await sql.query(
    source
      .replaceAll('MODULE_PATHNAME', `/usr/lib/postgresql/${major}/lib/plpgsql_check`)
      .replace(/^\\echo.*$/gm, '')
      .replaceAll('@extschema@', 'public'),
  );
  return null;
}
