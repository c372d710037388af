import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { cairnHere } from '../support/cairn-here.ts';
import { databaseUrl } from '../support/database-url.ts';
import { createHerons, see } from '../support/herons.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

// Records of a table that both databases declare, moved with the log of a workspace.

const COUNT = 2_500;

let here: Scratch;
let there: Scratch;
let folder: string;
let file: string;

const run = (scratch: Scratch, ...args: string[]) =>
  cairnHere(args, { env: { DATABASE_URL: databaseUrl(scratch.connection), CAIRN_DATA_DIR: folder } });

async function rowsOf({ sql }: Scratch): Promise<string[]> {
  const { rows } = await sql.query(
    `select (to_jsonb(h) - 'tenant_id')::text as row from public.herons h order by h.flock, h.number, h.seen_at`,
  );
  return rows.map(({ row }) => row);
}

beforeAll(async () => {
  [here, there] = await Promise.all([createScratch(), createScratch()]);
  await Promise.all([createHerons(here), createHerons(there)]);
  folder = await mkdtemp(join(inject('scratch'), 'moving-'));
  file = join(folder, 'all.jsonl');
  expect(await run(here, 'project', 'create', 'web')).toMatchObject({ code: 0 });
  const { rows } = await here.sql.query('select id from public.tenants');
  await see(here, { tenant: rows[0].id, flock: randomUUID(), count: COUNT - 1 });
  // What JavaScript cannot hold, and a terminal would act on.
  await here.sql.query(
    `insert into public.herons (tenant_id, flock, number, seen_at, said)
     values ($1, $2, 9007199254740993, now(), E'\\x1b[31mred\\x1b[0m\\u202e')`,
    [rows[0].id, randomUUID()],
  );
});
afterAll(async () => {
  await Promise.all([here.drop(), there.drop()]);
  await rm(folder, { recursive: true });
});

describe('records of a workspace', () => {
  test('are exported on request, with the whole workspace', async () => {
    const version = async () => JSON.parse((await readFile(file, 'utf8')).split('\n')[0] ?? '').version;
    expect(await run(here, 'export', '--records')).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') });
    expect(await run(here, 'export', '--all', file)).toMatchObject({ code: 0 });
    expect(await version()).toBe(1);

    expect(await run(here, 'export', '--all', '--records', file)).toMatchObject({ code: 0 });

    expect(await version()).toBe(2);
    expect((await readFile(file, 'utf8')).trimEnd().split('\n').at(-1)).toContain(`"records":${COUNT}`);
  });

  test('come into another database with the log, and a repeat adds none', async () => {
    const first = await run(there, 'import', file, '--json');
    const second = await run(there, 'import', file, '--json');

    expect(JSON.parse(first.stdout)).toMatchObject({ records: COUNT });
    expect(JSON.parse(second.stdout)).toMatchObject({ imported: 0, records: 0 });
    expect(await rowsOf(there)).toEqual(await rowsOf(here));
  });

  test('that were written otherwise are refused, since a number of them may have changed', async () => {
    const changed = join(folder, 'changed.jsonl');
    await writeFile(
      changed,
      (await readFile(file, 'utf8')).replace('{"record":"herons","row":', '{"record":"herons", "row":'),
    );

    expect(await run(there, 'import', changed)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/Line \d+ is not as it was written\./),
    });
  });

  test('of which some are missing are told', async () => {
    const lines = (await readFile(file, 'utf8')).split('\n');
    const cut = join(folder, 'cut.jsonl');
    await writeFile(cut, [...lines.slice(0, -3), ...lines.slice(-2)].join('\n'));

    expect(await run(there, 'import', cut)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`The file should have ${COUNT} records; it has ${COUNT - 1}.`),
    });
  });
});
