import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';
import { describeSchema } from '../../scripts/schema/catalogue.ts';
import { byChapter } from '../../scripts/schema/chapters.ts';

const STORED = new URL('../../supabase/schema/', import.meta.url);

/** The schema of a database, the lines of each chapter. */
export async function schemaOf(client: pg.Client): Promise<Record<string, string[]>> {
  const chapters = await byChapter(await describeSchema(client));
  return Object.fromEntries([...chapters].map(([chapter, text]) => [chapter, text.split('\n')]));
}

/** The schema as it is kept for reviewers. */
export async function storedSchema(): Promise<Record<string, string[]>> {
  const files = await readdir(STORED);
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, STORED), 'utf8')));
  return Object.fromEntries(files.map((file, at) => [file.replace('.sql', ''), texts[at]?.split('\n') ?? []]));
}
