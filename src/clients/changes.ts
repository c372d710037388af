import { createHash } from 'node:crypto';
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import * as z from 'zod';
import { realPathOf, writeAtomically } from '../atomic-write.ts';
import { readBounded } from '../bounded-read.ts';
import { DomainError } from '../errors.ts';
import { escaped } from '../text.ts';
import { applyEdit, type Edit, revertEdit } from './edits.ts';

// Larger than any configuration; some clients keep their history in it.
export const FILE_BYTES_MAX = 16_777_216;
const TOO_LARGE_HINT =
  'Make it smaller, or leave it out: --client names the clients, --no-instructions spares the pages.';

/** A file's content before and after the change; null is a missing file. `real` is where links lead. */
export type Change = { file: string; real: string; before: string | null; after: string | null };

export type PlannedEdit = Change & { edit: Edit; after: string };

/** Called for a file that cannot be read or safely changed. Without it, planning ends there. */
export type Skip = (error: DomainError, file: string) => void;
const refuse: Skip = (error) => {
  throw error;
};

const Entry = z.object({
  file: z.string(),
  /** The directory in which `cairn init` ran: undoing covers all edits made there. */
  from: z.string(),
  edit: z.custom<Edit>(),
  /** The name of a copy of the previous content; null if there was no file. */
  backup: z.string().nullable(),
  /** The digest of the written content tells whether someone changed it since. */
  sha256: z.string(),
  made_directory: z.string().optional(),
});
type Entry = z.infer<typeof Entry>;

/** Plans an edit of the file; null if the file needs none or was skipped. */
export async function planEdit(file: string, edit: Edit, skip: Skip = refuse): Promise<PlannedEdit | null> {
  return orSkip(file, skip, async () => {
    const before = readIfThere(file);
    const after = applyEdit(edit, before, file);
    return after === before ? null : { file, real: await realPathOf(file), before, after, edit };
  });
}

/** Skips one file that cannot be changed, so that the others get their turn. */
async function orSkip<T>(file: string, skip: Skip, plan: () => Promise<T>): Promise<T | null> {
  try {
    return await plan();
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    skip(error, file);
    return null;
  }
}

/** Finds changes that lead outside the repository or into git's own files: its author may have put links there. */
export async function findOutside(changes: readonly Change[], repository: string): Promise<Change[]> {
  const root = await realPathOf(repository);
  return changes.filter(
    ({ file, real }) => pathWithin(repository, file) !== null && !isWorkTree(pathWithin(root, real)),
  );
}

function isWorkTree(path: string | null): boolean {
  return path !== null && !path.split(sep).some((part) => part.toLowerCase() === '.git');
}

/** Returns the relative path down from a directory; null if there is none. */
function pathWithin(directory: string, file: string): string | null {
  const path = relative(directory, file);
  return path === '' || path.split(sep)[0] === '..' || isAbsolute(path) ? null : path;
}

/**
 * Writes the files, each with a copy of the replaced content, so that it can be undone. Raises version_conflict for a
 * file that leads elsewhere since it was planned.
 */
export async function makeEdits(planned: readonly PlannedEdit[], from: string, notes: string): Promise<void> {
  await mkdir(notes, { recursive: true, mode: 0o700 });
  for (const change of planned) {
    const { file, real, before, after, edit } = change;
    await refuseLed(change);
    const journal = readJournal(notes);
    const earlier = journal.find((entry) => entry.file === file);
    const made_directory = await mkdir(dirname(real), { recursive: true });
    const untouched = earlier !== undefined && before !== null && earlier.sha256 === sha256(before);
    // An edit on top of our own keeps the first copy: undoing restores what was there before.
    const backup = untouched ? earlier.backup : await keepCopy(notes, file, before);
    const entry = {
      file,
      from,
      edit,
      backup,
      sha256: sha256(after),
      made_directory: earlier?.made_directory ?? made_directory,
    };
    // Noted first: a file that was noted but never written stays as it is.
    await writeJournal(notes, [...journal.filter((other) => other.file !== file), entry]);
    await refuseLed(change);
    await writeAtomically(real, after, { mode: 0o644, isReal: true });
  }
}

/** Lists the clients for which hooks were written, from wherever that was. */
export function clientsWithHooks(notes: string): string[] {
  const clientsOf = (edit: Edit): string[] => {
    if (edit.kind === 'several') return edit.edits.flatMap(clientsOf);
    return edit.kind === 'hooks' ? [edit.client ?? 'claude-code'] : [];
  };
  return readJournal(notes).flatMap(({ edit }) => clientsOf(edit));
}

/** Plans to undo the changes made from a directory: files become as they were, or lose our part. */
export async function planUndo(from: string, notes: string, skip: Skip = refuse): Promise<Change[]> {
  const changes: Change[] = [];
  for (const entry of readJournal(notes)) {
    if (entry.from !== from) continue;
    const { file } = entry;
    const change = await orSkip(file, skip, async () => {
      const before = readIfThere(file);
      const after = before === null ? null : undone(entry, before, notes);
      return after === before ? null : { file, real: await realPathOf(file), before, after };
    });
    if (change !== null) changes.push(change);
  }
  return changes;
}

/** Undoes the planned changes. Skipped ones stay in the notes for another time. Raises as `makeEdits` does. */
export async function undoEdits(planned: readonly Change[], from: string, notes: string): Promise<void> {
  for (const change of planned) {
    const { real, after } = change;
    await refuseLed(change);
    if (after === null) await rm(real);
    else await writeAtomically(real, after, { isReal: true });
  }
  const skipped = new Set<string>();
  await planUndo(from, notes, (_, file) => skipped.add(file));
  const journal = readJournal(notes);
  const isOver = (entry: Entry) => entry.from === from && !skipped.has(entry.file);
  for (const entry of journal.filter(isOver)) {
    if (entry.made_directory !== undefined)
      await removeEmpty(dirname(await realPathOf(entry.file)), entry.made_directory);
    if (entry.backup !== null) await rm(join(notes, entry.backup), { force: true });
  }
  await writeJournal(
    notes,
    journal.filter((entry) => !isOver(entry)),
  );
}

function undone({ file, edit, backup, sha256: written }: Entry, now: string, notes: string): string | null {
  const isOurs = sha256(now) === written;
  if (isOurs && backup === null) return null;
  const copy = isOurs && backup !== null ? readIfThere(join(notes, backup)) : null;
  if (copy !== null) return copy;
  // Someone edited the file since, or the copy is gone: removes only our part.
  const reverted = revertEdit(edit, now, file);
  return backup === null && /^\uFEFF?\s*(\{\s*\})?\s*$/.test(reverted) ? null : reverted;
}

/** Refuses a link that has appeared since: nobody was shown it. */
async function refuseLed({ file, real }: Change): Promise<void> {
  if ((await realPathOf(file)) === real) return;
  throw new DomainError('version_conflict', `The file ${escaped(file)} leads elsewhere since it was shown.`, {
    hint: 'Run it again to see what it would do now.',
  });
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

/** Removes empty directories that we made, from the innermost. */
async function removeEmpty(directory: string, outermost: string): Promise<void> {
  if (!directory.startsWith(outermost)) return;
  const removed = await rmdir(directory).then(
    () => true,
    () => false,
  );
  if (removed) await removeEmpty(dirname(directory), outermost);
}

function readIfThere(file: string): string | null {
  return readBounded(file, FILE_BYTES_MAX, { hint: TOO_LARGE_HINT });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
