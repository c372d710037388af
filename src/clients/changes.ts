import { createHash } from 'node:crypto';
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import * as z from 'zod';
import { realPathOf, writeAtomically } from '../atomic-write.ts';
import { readBounded } from '../bounded-read.ts';
import { applyEdit, type Edit, revertEdit } from './edits.ts';

// Larger than any configuration; some clients keep their history in it.
export const FILE_BYTES_MAX = 16_777_216;

/** What a file says now and shall say; null is a file that is not there. `real` is where links lead. */
export type Change = { file: string; real: string; before: string | null; after: string | null };

export type PlannedEdit = Change & { edit: Edit; after: string };

const Entry = z.object({
  file: z.string(),
  /** The directory in which it was made: what was made there is undone together. */
  from: z.string(),
  edit: z.custom<Edit>(),
  /** The name of the copy of what was there; null where there was no file. */
  backup: z.string().nullable(),
  /** Of what was written: whether someone changed it since. */
  sha256: z.string(),
  made_directory: z.string().optional(),
});
type Entry = z.infer<typeof Entry>;

/** What the edit makes of the file; null when it says so already. */
export async function planEdit(file: string, edit: Edit): Promise<PlannedEdit | null> {
  const before = readIfThere(file);
  const after = applyEdit(edit, before, file);
  return after === before ? null : { file, real: await realPathOf(file), before, after, edit };
}

/** Those that are named in a repository and are elsewhere, or in what git keeps: whoever made it may have put links there. */
export async function findOutside(changes: readonly Change[], repository: string): Promise<Change[]> {
  const root = await realPathOf(repository);
  return changes.filter(
    ({ file, real }) => pathWithin(repository, file) !== null && !isWorkTree(pathWithin(root, real)),
  );
}

function isWorkTree(path: string | null): boolean {
  return path !== null && path.split(sep)[0]?.toLowerCase() !== '.git';
}

/** The way down from a directory; null where there is none. */
function pathWithin(directory: string, file: string): string | null {
  const path = relative(directory, file);
  return path === '' || path.split(sep)[0] === '..' || isAbsolute(path) ? null : path;
}

/** Writes the files, each with a copy of what it replaces, so that it can be undone. */
export async function makeEdits(planned: readonly PlannedEdit[], from: string, notes: string): Promise<void> {
  await mkdir(notes, { recursive: true, mode: 0o700 });
  for (const { file, real, before, after, edit } of planned) {
    const journal = readJournal(notes);
    const earlier = journal.find((entry) => entry.file === file);
    const made_directory = await mkdir(dirname(real), { recursive: true });
    const untouched = earlier !== undefined && before !== null && earlier.sha256 === sha256(before);
    // Made again on top of our own change: what was there before the first one is what undoing brings back.
    const backup = untouched ? earlier.backup : await keepCopy(notes, file, before);
    const entry = {
      file,
      from,
      edit,
      backup,
      sha256: sha256(after),
      made_directory: earlier?.made_directory ?? made_directory,
    };
    // Noted first: a file that was noted and never written is left as it is.
    await writeJournal(notes, [...journal.filter((other) => other.file !== file), entry]);
    await writeAtomically(real, after, { mode: 0o644 });
  }
}

/** What undoing would do to the files that were changed from a directory: as they were, or without our part of them. */
export async function planUndo(from: string, notes: string): Promise<Change[]> {
  const changes: Change[] = [];
  for (const entry of readJournal(notes)) {
    if (entry.from !== from) continue;
    const { file } = entry;
    const before = readIfThere(file);
    if (before === null) continue;
    const after = undone(entry, before, notes);
    if (after !== before) changes.push({ file, real: await realPathOf(file), before, after });
  }
  return changes;
}

export async function undoEdits(from: string, notes: string): Promise<void> {
  for (const { real, after } of await planUndo(from, notes)) {
    if (after === null) await rm(real);
    else await writeAtomically(real, after);
  }
  const journal = readJournal(notes);
  for (const entry of journal.filter((entry) => entry.from === from)) {
    if (entry.made_directory !== undefined)
      await removeEmpty(dirname(await realPathOf(entry.file)), entry.made_directory);
    if (entry.backup !== null) await rm(join(notes, entry.backup), { force: true });
  }
  await writeJournal(
    notes,
    journal.filter((entry) => entry.from !== from),
  );
}

function undone({ file, edit, backup, sha256: written }: Entry, now: string, notes: string): string | null {
  if (sha256(now) === written) return backup === null ? null : readIfThere(join(notes, backup));
  const reverted = revertEdit(edit, now, file);
  return backup === null && /^\uFEFF?\s*(\{\s*\})?\s*$/.test(reverted) ? null : reverted;
}

async function keepCopy(notes: string, file: string, content: string | null): Promise<string | null> {
  if (content === null) return null;
  const name = `${sha256(file).slice(0, 16)}.backup`;
  await writeAtomically(join(notes, name), content);
  return name;
}

function readJournal(notes: string): Entry[] {
  const content = readIfThere(join(notes, 'journal.json'));
  return content === null ? [] : z.array(Entry).parse(JSON.parse(content));
}

async function writeJournal(notes: string, entries: Entry[]): Promise<void> {
  await writeAtomically(join(notes, 'journal.json'), `${JSON.stringify(entries, null, 2)}\n`);
}

/** Removes directories that we made and that nothing is in, from the innermost. */
async function removeEmpty(directory: string, outermost: string): Promise<void> {
  if (!directory.startsWith(outermost)) return;
  const removed = await rmdir(directory).then(
    () => true,
    () => false,
  );
  if (removed) await removeEmpty(dirname(directory), outermost);
}

function readIfThere(file: string): string | null {
  return readBounded(file, FILE_BYTES_MAX);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
