import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { readBytes, tooLarge, unusableFile } from '../../bounded-read.ts';
import { findRepository } from '../../clients/detect.ts';
import { thisHost } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { lineRanges, type SourceFile } from '../../formats/foreign-task.ts';
import { detectFormat, type FormatName } from '../../formats/formats.ts';

const FILE_BYTES_MAX = 67_108_864;
const FILES_MAX = 20_000;
const FIRST_BYTES = 4_096;
const REPLACED = '\uFFFD';

/** `isShared`: other tools have a file of this name too. */
type Place = { format: FormatName; path: string; isShared?: true };

// The places where each tool keeps its tasks in a repository; newer places first.
const PLACES: readonly Place[] = [
  { format: 'task-master', path: '.taskmaster/tasks/tasks.json' },
  { format: 'task-master', path: 'tasks/tasks.json', isShared: true },
  { format: 'beads', path: '.beads/issues.jsonl' },
  { format: 'beads', path: '.beads/beads.jsonl' },
  { format: 'backlog', path: 'backlog/tasks' },
  { format: 'backlog', path: '.backlog/tasks' },
];
const BACKLOG_FOLDERS = ['tasks', 'completed'];
// Backlog.md shows neither among its tasks.
const BACKLOG_OTHERS = ['drafts', join('archive', 'tasks'), join('archive', 'drafts')];

type Source = { files: SourceFile[]; format?: FormatName; warnings: string[] };

/** Reads the file at a path, or the folder in which a tool keeps its tasks. */
export async function readSource(path: string): Promise<Source> {
  const warnings: string[] = [];
  if (path === '-') return { files: [await readStandardInput(warnings)], warnings };
  const about = await statOf(path);
  if (!about.isDirectory()) {
    const read = await readAll(createReadStream(path), path, warnings);
    return { files: [about.isFile() ? { ...read, home: await homeOf(path) } : read], warnings };
  }
  return readFolder(path, warnings);
}

async function readFolder(path: string, warnings: string[]): Promise<Source> {
  const found = await placesIn(path);
  const [first, ...others] = found;
  if (others.some(({ format }) => format !== first?.format)) {
    throw unusable(
      `${path} has tasks of several tools: ${found.map((place) => place.path).join(', ')}.`,
      'Name one of them.',
    );
  }
  const files = await filesAt(path, { place: first, warnings });
  if (first === undefined && files.length === 0) {
    throw unusable(`${path} has no tasks of a tool that Cairn knows.`, 'Name the file with the tasks.');
  }
  warnings.push(...others.map((other) => `${other.path} is there too and was not read: ${first?.path} was.`));
  return { files, format: first?.format ?? 'backlog', warnings };
}

async function placesIn(folder: string): Promise<Place[]> {
  const found: Place[] = [];
  for (const place of PLACES) {
    if ((await stat(join(folder, place.path)).catch(() => null)) === null) continue;
    if (!place.isShared || isOf(place.format, readOne(join(folder, place.path), { shown: place.path, warnings: [] }))) {
      found.push(place);
    }
  }
  return found;
}

/** Lists the files at a place in a folder; without a place, the pages in the folder itself. */
async function filesAt(
  folder: string,
  { place, warnings }: { place: Place | undefined; warnings: string[] },
): Promise<SourceFile[]> {
  if (place === undefined) return readBacklog(join(folder, '.'), warnings);
  if (place.format === 'backlog') return readBacklog(join(folder, place.path, '..'), warnings);
  return [readOne(join(folder, place.path), { shown: place.path, warnings })];
}

function isOf(format: FormatName, file: SourceFile): boolean {
  try {
    return detectFormat(file) === format;
  } catch {
    return false;
  }
}

/** Returns the path of the file in its repository; only its name outside of one. */
async function homeOf(path: string): Promise<string> {
  const whole = await realpath(path);
  const repository = await findRepository(dirname(whole), thisHost());
  return repository === null ? basename(whole) : relative(repository, whole).split(sep).join('/');
}

/** Tells whether the file is a history that Cairn exported: its first line says so. */
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

/** Reads the task files below a folder of Backlog.md, or in the folder itself. */
async function readBacklog(folder: string, warnings: string[]): Promise<SourceFile[]> {
  const below = await Promise.all(BACKLOG_FOLDERS.map((name) => pagesIn(join(folder, name))));
  const pages = below.flat();
  if (pages.length === 0) {
    // Any other folder may be the root of a repository.
    const recursive = BACKLOG_FOLDERS.includes(basename(resolve(folder)));
    return readBacklogPages(await pagesIn(folder, { recursive }), { folder, warnings });
  }
  for (const name of BACKLOG_OTHERS) {
    const { length } = await pagesIn(join(folder, name));
    if (length > 0) warnings.push(`${name} (${length}) was not read: import that folder by its path as well.`);
  }
  return readBacklogPages(pages, { folder, warnings });
}

/** Lists the pages in a folder and its subfolders, in the same order everywhere. */
async function pagesIn(folder: string, { recursive } = { recursive: true }): Promise<string[]> {
  const entries = await readdir(folder, { recursive, withFileTypes: true }).catch(() => []);
  const pages = entries.filter((entry) => entry.name.endsWith('.md') && !entry.isDirectory());
  if (pages.length > FILES_MAX) throw unusable(`${folder} has more than ${FILES_MAX} files.`, 'Import them in parts.');
  return pages.map(({ parentPath, name }) => join(parentPath, name)).sort();
}

/** Limits all files together to the size of one. */
function readBacklogPages(pages: string[], { folder, warnings }: { folder: string; warnings: string[] }): SourceFile[] {
  let size = 0;
  return pages.map((page) => {
    const file = readOne(page, { shown: relative(folder, page), warnings });
    size += file.text.length;
    if (size > FILE_BYTES_MAX) throw tooLarge(folder, FILE_BYTES_MAX);
    return file;
  });
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    throw unusableFile(path, error);
  }
}

/** Reads one file of a stranger's folder: nothing but a regular file. */
function readOne(path: string, { shown, warnings }: { shown: string; warnings: string[] }): SourceFile {
  return { path: shown, text: textOf(readBytes(path, FILE_BYTES_MAX) ?? Buffer.of(), { path: shown, warnings }) };
}

/**
 * Decodes text: PowerShell writes UTF-16 and says so in the first two bytes. Other text that is not UTF-8 is decoded as
 * far as possible, with a warning.
 */
function textOf(bytes: Buffer, { path, warnings }: { path: string; warnings: string[] }): string {
  const mark = bytes.subarray(0, 2).toString('hex');
  if (mark === 'fffe') return new TextDecoder('utf-16le').decode(bytes);
  if (mark === 'feff') return new TextDecoder('utf-16be').decode(bytes);
  const text = new TextDecoder().decode(bytes);
  if (!isUtf8(bytes)) {
    const lines = text.split('\n').flatMap((line, at) => (line.includes(REPLACED) ? at + 1 : []));
    warnings.push(
      `${path} is not all UTF-8: ${REPLACED} stands for what could not be read in ${lineRanges(lines).join(', ')}.`,
    );
  }
  return text;
}

function unusable(message: string, hint: string): DomainError {
  return new DomainError('invalid_input', message, { hint });
}

function readStandardInput(warnings: string[]): Promise<SourceFile> {
  return readAll(process.stdin, 'standard input', warnings);
}

/** Reads standard input; a warning beside the answer tells of anything that is not text. */
export async function readInputText(): Promise<string> {
  const warnings: string[] = [];
  const { text } = await readStandardInput(warnings);
  for (const warning of warnings) process.stderr.write(`! ${warning}\n`);
  return text;
}

/** Reads a file that a person named, which may be a pipe. */
async function readAll(input: Readable, path: string, warnings: string[]): Promise<SourceFile> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    const chunks: AsyncIterable<Buffer> = input;
    for await (const part of chunks) {
      size += part.length;
      if (size > FILE_BYTES_MAX) throw tooLarge(path, FILE_BYTES_MAX);
      parts.push(part);
    }
  } catch (error) {
    throw error instanceof DomainError ? error : unusableFile(path, error);
  }
  return { path, text: textOf(Buffer.concat(parts), { path, warnings }) };
}
