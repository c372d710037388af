import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from './atomic-write.ts';
import { readBounded } from './bounded-read.ts';
import { withLock } from './db/lock.ts';

// The data directory holds a brief of each bound project as Cairn was last left, for readers that have no time to start
// a database. If the server runs as another account, that account owns the directory and may put links and pipes into
// it.

const BYTES_MAX = 2_000;
const AGE_DAYS_MAX = 30;
const DAY_MS = 86_400_000;
// Writers finish long before this or were stopped.
const REMOVE_WAIT_MS_MAX = 5_000;
// A slug, or the id that binds a repository: any other setting names no file.
const KEY = /^(?:[a-z][a-z0-9-]{0,30}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;
const NAME = /^brief-(.+)\.txt$/;

/** The place of briefs: beside the embedded database. */
export type Place = { dataDir: string; databaseUrl?: string | undefined; supabaseUrl?: string | undefined };

/** Tells whether the database is the one in the data directory. */
export function isEmbedded({ databaseUrl, supabaseUrl }: Place): boolean {
  return databaseUrl === undefined && supabaseUrl === undefined;
}

export function hasBriefFile(project: string): boolean {
  return KEY.test(project);
}

/** Reads the brief of a project; undefined if there is none. */
export function readBrief(dataDir: string, project: string): string | undefined {
  if (!hasBriefFile(project)) return undefined;
  try {
    return readBounded(fileOf(dataDir, project), BYTES_MAX, { followsLink: false }) || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Runs `work` while no other process writes or removes a brief: data read from the database meanwhile is newer than the
 * briefs. Raises unavailable when the wait is longer than allowed.
 */
export function withBriefsLocked<T>(dataDir: string, waitMsMax: number, work: () => Promise<T>): Promise<T> {
  return withLock(join(dataDir, 'brief-lock'), work, waitMsMax);
}

/** Lists the projects that have a brief, the oldest first. Removes those older than 30 days. */
export async function listBriefs(dataDir: string): Promise<string[]> {
  const oldest = Date.now() - AGE_DAYS_MAX * DAY_MS;
  const kept: { project: string; mtimeMs: number }[] = [];
  for (const project of await projectsIn(dataDir)) {
    const { mtimeMs } = await lstat(fileOf(dataDir, project)).catch(() => ({ mtimeMs: 0 }));
    if (mtimeMs < oldest) await removeBrief(dataDir, project).catch(() => {});
    else kept.push({ project, mtimeMs });
  }
  return kept.sort((a, b) => a.mtimeMs - b.mtimeMs).map(({ project }) => project);
}

export async function writeBrief(dataDir: string, project: string, text: string): Promise<void> {
  if (!hasBriefFile(project)) throw new RangeError('No file is named after such a project.');
  if (Buffer.byteLength(text) > BYTES_MAX) throw new RangeError(`A brief has at most ${BYTES_MAX} bytes.`);
  await writeAtomically(fileOf(dataDir, project), text, { mode: 0o600, replacesLink: true });
}

export async function removeBrief(dataDir: string, project: string): Promise<void> {
  await rm(fileOf(dataDir, project), { force: true });
}

/** Removes all briefs, after those that are being written. */
export async function removeBriefs(dataDir: string): Promise<void> {
  const remove = async () => {
    const projects = await projectsIn(dataDir);
    await Promise.all(projects.map((project) => removeBrief(dataDir, project)));
  };
  // A process that was halted while writing keeps nothing here.
  await withBriefsLocked(dataDir, REMOVE_WAIT_MS_MAX, remove).catch(remove);
}

async function projectsIn(dataDir: string): Promise<string[]> {
  const names = await readdir(dataDir).catch(() => []);
  return names.map((name) => NAME.exec(name)?.[1] ?? '').filter(hasBriefFile);
}

function fileOf(dataDir: string, project: string): string {
  return join(dataDir, `brief-${project}.txt`);
}
