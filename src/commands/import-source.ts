import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { DomainError } from '../errors.ts';
import type { SourceFile } from '../formats/foreign-task.ts';
import type { FormatName } from '../formats/formats.ts';

const FILE_BYTES_MAX = 67_108_864;
const FILES_MAX = 20_000;
const FIRST_BYTES = 4_096;

// Where each tool keeps its tasks in a repository.
const PLACES: readonly { format: FormatName; path: string }[] = [
  { format: 'task-master', path: '.taskmaster/tasks/tasks.json' },
  { format: 'beads', path: '.beads/issues.jsonl' },
  { format: 'backlog', path: 'backlog/tasks' },
  { format: 'backlog', path: '.backlog/tasks' },
];
const BACKLOG_FOLDERS = ['tasks', 'completed'];

/** What a path names: a file, or a folder in which a tool keeps its tasks. */
export async function readSource(path: string): Promise<{ files: SourceFile[]; format?: FormatName }> {
  if (path === '-') return { files: [await readInput()] };
  const about = await statOf(path);
  if (!about.isDirectory()) return { files: [await readOne(path, path)] };
  const found: { format: FormatName; path: string }[] = [];
  for (const place of PLACES) {
    if ((await stat(join(path, place.path)).catch(() => null)) !== null) found.push(place);
  }
  const [first, second] = found;
  if (second !== undefined) {
    throw unusable(
      `${path} has tasks of several tools: ${found.map((place) => place.path).join(', ')}.`,
      'Name one of them.',
    );
  }
  if (first?.format === 'backlog') return { files: await readBacklog(join(path, first.path, '..')), format: 'backlog' };
  if (first !== undefined) return { files: [await readOne(join(path, first.path), first.path)], format: first.format };
  const files = await readBacklog(path);
  if (files.length > 0) return { files, format: 'backlog' };
  throw unusable(`${path} has no tasks of a tool that Cairn knows.`, 'Name the file with the tasks.');
}

/** Whether the file is a history that Cairn exported: its first line says so. */
export async function isHistory(path: string): Promise<boolean> {
  if (path === '-') return false;
  const about = await statOf(path);
  if (!about.isFile()) return false;
  const file = await open(path);
  try {
    const { buffer: bytes, bytesRead } = await file.read(Buffer.alloc(FIRST_BYTES), 0, FIRST_BYTES, 0);
    return /^\uFEFF?\s*\{"format":\s*"cairn-events"/.test(bytes.toString('utf8', 0, bytesRead));
  } finally {
    await file.close();
  }
}

/** The task files below a folder of Backlog.md, or in the folder itself. */
async function readBacklog(folder: string): Promise<SourceFile[]> {
  const folders = [...BACKLOG_FOLDERS.map((name) => join(folder, name)), folder];
  for (const [at, place] of folders.entries()) {
    const names = (await readdir(place).catch(() => [])).filter((name) => name.endsWith('.md'));
    if (names.length === 0) continue;
    const places = at < BACKLOG_FOLDERS.length ? folders.slice(0, BACKLOG_FOLDERS.length) : [place];
    return (await Promise.all(places.map((one) => readPages(one, folder)))).flat();
  }
  return [];
}

async function readPages(place: string, folder: string): Promise<SourceFile[]> {
  const names = (await readdir(place).catch(() => [])).filter((name) => name.endsWith('.md'));
  if (names.length > FILES_MAX) throw unusable(`${place} has more than ${FILES_MAX} files.`, 'Import them in parts.');
  const files: SourceFile[] = [];
  for (const name of names) files.push(await readOne(join(place, name), relative(folder, join(place, name))));
  return files;
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    throw unusable(
      `The file ${path} cannot be used (${(error as NodeJS.ErrnoException).code}).`,
      'Name a file that you may read.',
    );
  }
}

async function readOne(path: string, shown: string): Promise<SourceFile> {
  const { size } = await statOf(path);
  if (size > FILE_BYTES_MAX) throw tooLarge(shown);
  return { path: shown, text: (await readFile(path, 'utf8')).replace(/^\uFEFF/, '') };
}

function unusable(message: string, hint: string): DomainError {
  return new DomainError('invalid_input', message, { hint });
}

async function readInput(): Promise<SourceFile> {
  const path = 'standard input';
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of process.stdin as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > FILE_BYTES_MAX) throw tooLarge(path);
    parts.push(part);
  }
  return {
    path,
    text: Buffer.concat(parts)
      .toString()
      .replace(/^\uFEFF/, ''),
  };
}

function tooLarge(shown: string): DomainError {
  return new DomainError('payload_too_large', `${shown} is larger than ${FILE_BYTES_MAX / 1_048_576} MB.`, {
    hint: 'Import it in parts.',
  });
}
