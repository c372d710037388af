import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, realpath, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { applyEdit, type Edit, revertEdit } from './edits.ts';

/** What a file says now and shall say; null is a file that is not there. */
export type Change = { file: string; before: string | null; after: string | null };

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
  const before = await readIfThere(file);
  const after = applyEdit(edit, before, file);
  return after === before ? null : { file, before, after, edit };
}

/** Writes the files, each with a copy of what it replaces, so that it can be undone. */
export async function makeEdits(planned: readonly PlannedEdit[], from: string, notes: string): Promise<void> {
  await mkdir(notes, { recursive: true, mode: 0o700 });
  for (const { file, before, after, edit } of planned) {
    const journal = await readJournal(notes);
    const earlier = journal.find((entry) => entry.file === file);
    const made_directory = await mkdir(dirname(file), { recursive: true });
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
    await replaceFile(file, after);
  }
}

/** What undoing would do to the files that were changed from a directory: as they were, or without our part of them. */
export async function planUndo(from: string, notes: string): Promise<Change[]> {
  const changes: Change[] = [];
  for (const entry of await readJournal(notes)) {
    const before = await readIfThere(entry.file);
    if (entry.from !== from || before === null) continue;
    const after = await undone(entry, before, notes);
    if (after !== before) changes.push({ file: entry.file, before, after });
  }
  return changes;
}

export async function undoEdits(from: string, notes: string): Promise<void> {
  for (const { file, after } of await planUndo(from, notes)) {
    if (after === null) await rm(file);
    else await replaceFile(file, after);
  }
  const journal = await readJournal(notes);
  for (const entry of journal.filter((entry) => entry.from === from)) {
    if (entry.made_directory !== undefined) await removeEmpty(dirname(entry.file), entry.made_directory);
    if (entry.backup !== null) await rm(join(notes, entry.backup), { force: true });
  }
  await writeJournal(
    notes,
    journal.filter((entry) => entry.from !== from),
  );
}

async function undone({ file, edit, backup, sha256: written }: Entry, now: string, notes: string) {
  if (sha256(now) === written) return backup === null ? null : await readFile(join(notes, backup), 'utf8');
  const reverted = revertEdit(edit, now, file);
  return backup === null && /^\uFEFF?\s*(\{\s*\})?\s*$/.test(reverted) ? null : reverted;
}

async function keepCopy(notes: string, file: string, content: string | null): Promise<string | null> {
  if (content === null) return null;
  const name = `${sha256(file).slice(0, 16)}.backup`;
  await writeFile(join(notes, name), content, { mode: 0o600 });
  return name;
}

async function readJournal(notes: string): Promise<Entry[]> {
  const content = await readIfThere(join(notes, 'journal.json'));
  return content === null ? [] : z.array(Entry).parse(JSON.parse(content));
}

async function writeJournal(notes: string, entries: Entry[]): Promise<void> {
  await replaceFile(join(notes, 'journal.json'), `${JSON.stringify(entries, null, 2)}\n`);
}

/** Whole or not at all; a link stays a link, and who may read it stays as it was. */
async function replaceFile(path: string, content: string): Promise<void> {
  const file = await realpath(path).catch(() => path);
  const mode = (await stat(file).catch(() => null))?.mode;
  const part = `${file}.cairn-part`;
  try {
    await writeFile(part, content, { mode: mode ?? 0o644 });
    if (mode !== undefined) await chmod(part, mode);
    await rename(part, file);
  } catch {
    // Windows keeps a file that is open, and a directory may take no new one.
    await rm(part, { force: true });
    await writeFile(file, content);
  }
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

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
