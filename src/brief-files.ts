import { constants } from 'node:fs';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from './atomic-write.ts';

// In the data directory lies where each bound project stood when Cairn was last left, for whoever has no time to start a
// database. Where the server runs as another account the directory is that account's, which may put links into it.

const BYTES_MAX = 2_000;
// A slug, or the id that a repository is bound by: what else a setting says names no file.
const KEY = /^(?:[a-z][a-z0-9-]{0,30}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;
const NAME = /^brief-(.+)\.txt$/;

/** Where a brief lies: beside the embedded database. */
export type Place = { dataDir: string; databaseUrl?: string | undefined; supabaseUrl?: string | undefined };

/** Tells whether the database is the one in the data directory. */
export function isEmbedded({ databaseUrl, supabaseUrl }: Place): boolean {
  return databaseUrl === undefined && supabaseUrl === undefined;
}

export function hasBriefFile(project: string): boolean {
  return KEY.test(project);
}

/** What was left behind about a project; undefined where nothing was. */
export async function readBrief(dataDir: string, project: string): Promise<string | undefined> {
  if (!hasBriefFile(project)) return undefined;
  const file = await open(fileOf(dataDir, project), constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch(() => null);
  if (file === null) return undefined;
  try {
    const { size } = await file.stat();
    return size > 0 && size <= BYTES_MAX ? await file.readFile('utf8') : undefined;
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

/** The projects about which something lies there. */
export async function listBriefs(dataDir: string): Promise<string[]> {
  const names = await readdir(dataDir).catch(() => []);
  return names.map((name) => NAME.exec(name)?.[1] ?? '').filter(hasBriefFile);
}

export async function writeBrief(dataDir: string, project: string, text: string): Promise<void> {
  if (!hasBriefFile(project)) throw new RangeError('No file is named after such a project.');
  if (Buffer.byteLength(text) > BYTES_MAX) throw new RangeError(`A brief has at most ${BYTES_MAX} bytes.`);
  await writeAtomically(fileOf(dataDir, project), text, { mode: 0o600, replacesLink: true });
}

export async function removeBrief(dataDir: string, project: string): Promise<void> {
  await rm(fileOf(dataDir, project), { force: true });
}

function fileOf(dataDir: string, project: string): string {
  return join(dataDir, `brief-${project}.txt`);
}
