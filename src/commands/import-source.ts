import { createReadStream } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { readBounded, tooLarge, unusableFile } from '../bounded-read.ts';
import { findRepository } from '../clients/detect.ts';
import { thisHost } from '../config.ts';
import { DomainError } from '../errors.ts';
import type { SourceFile } from '../formats/foreign-task.ts';
import { detectFormat, type FormatName } from '../formats/formats.ts';

const FILE_BYTES_MAX = 67_108_864;
const FILES_MAX = 20_000;
const FIRST_BYTES = 4_096;

/** `isShared`: other tools have a file of this name too. */
type Place = { format: FormatName; path: string; isShared?: true };

// Where each tool keeps its tasks in a repository; older places after the newer ones.
const PLACES: readonly Place[] = [
  { format: 'task-master', path: '.taskmaster/tasks/tasks.json' },
  { format: 'task-master', path: 'tasks/tasks.json', isShared: true },
  { format: 'beads', path: '.beads/issues.jsonl' },
  { format: 'beads', path: '.beads/beads.jsonl' },
  { format: 'backlog', path: 'backlog/tasks' },
  { format: 'backlog', path: '.backlog/tasks' },
];
const BACKLOG_FOLDERS = ['tasks', 'completed'];

type Source = { files: SourceFile[]; format?: FormatName; warnings?: string[] };

/** What a path names: a file, or a folder in which a tool keeps its tasks. */
export async function readSource(path: string): Promise<Source> {
  if (path === '-') return { files: [await readStandardInput()] };
  const about = await statOf(path);
  if (!about.isDirectory()) {
    const read = await readAll(createReadStream(path), path);
    return { files: [about.isFile() ? { ...read, home: await homeOf(path) } : read] };
  }
  const found = await placesIn(path);
  const [first, ...others] = found;
  if (others.some(({ format }) => format !== first?.format)) {
    throw unusable(
      `${path} has tasks of several tools: ${found.map((place) => place.path).join(', ')}.`,
      'Name one of them.',
    );
  }
  const files = await filesAt(path, first);
  if (first === undefined && files.length === 0) {
    throw unusable(`${path} has no tasks of a tool that Cairn knows.`, 'Name the file with the tasks.');
  }
  const warnings = others.map((other) => `${other.path} is there too and was not read: ${first?.path} was.`);
  return { files, format: first?.format ?? 'backlog', warnings };
}

/** A place where something is, with the file if it had to be read to tell. */
type Found = Place & { file?: SourceFile };

async function placesIn(folder: string): Promise<Found[]> {
  const found: Found[] = [];
  for (const place of PLACES) {
    if ((await stat(join(folder, place.path)).catch(() => null)) === null) continue;
    if (place.isShared) {
      const file = readOne(join(folder, place.path), place.path);
      if (isOf(place.format, file)) found.push({ ...place, file });
    } else {
      found.push(place);
    }
  }
  return found;
}

/** The files at a place in a folder; without a place, the pages in the folder itself. */
async function filesAt(folder: string, place: Found | undefined): Promise<SourceFile[]> {
  if (place === undefined) return readBacklog(join(folder, '.'));
  if (place.format === 'backlog') return readBacklog(join(folder, place.path, '..'));
  return [place.file ?? readOne(join(folder, place.path), place.path)];
}

function isOf(format: FormatName, file: SourceFile): boolean {
  try {
    return detectFormat(file) === format;
  } catch {
    return false;
  }
}

/** Where the file is in its repository; its name alone where it is in none. */
async function homeOf(path: string): Promise<string> {
  const whole = await realpath(path);
  const repository = await findRepository(dirname(whole), thisHost());
  return repository === null ? basename(whole) : relative(repository, whole).split(sep).join('/');
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
    return readPages(places, folder);
  }
  return [];
}

/** As much as may come from one file comes from all of them. */
async function readPages(places: string[], folder: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  let size = 0;
  for (const place of places) {
    const names = (await readdir(place).catch(() => [])).filter((name) => name.endsWith('.md'));
    if (names.length > FILES_MAX) throw unusable(`${place} has more than ${FILES_MAX} files.`, 'Import them in parts.');
    for (const name of names) {
      const file = readOne(join(place, name), relative(folder, join(place, name)));
      size += file.text.length;
      if (size > FILE_BYTES_MAX) throw tooLarge(place, FILE_BYTES_MAX);
      files.push(file);
    }
  }
  return files;
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    throw unusableFile(path, error);
  }
}

/** A file that whoever made the folder put there: nothing but a file. */
function readOne(path: string, shown: string): SourceFile {
  return { path: shown, text: (readBounded(path, FILE_BYTES_MAX) ?? '').replace(/^\uFEFF/, '') };
}

function unusable(message: string, hint: string): DomainError {
  return new DomainError('invalid_input', message, { hint });
}

export function readStandardInput(): Promise<SourceFile> {
  return readAll(process.stdin, 'standard input');
}

/** What a person named, which may be a pipe. */
async function readAll(input: Readable, path: string): Promise<SourceFile> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of input as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > FILE_BYTES_MAX) throw tooLarge(path, FILE_BYTES_MAX);
      parts.push(part);
    }
  } catch (error) {
    throw error instanceof DomainError ? error : unusableFile(path, error);
  }
  const text = Buffer.concat(parts).toString();
  return { path, text: text.replace(/^\uFEFF/, '') };
}
