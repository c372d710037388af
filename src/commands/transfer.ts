import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';
import type { Config } from '../config.ts';
import type { Context } from '../context.ts';
import { DomainError } from '../errors.ts';
import { exportEvents, importEvents, WholeEvent } from '../services/transfer.ts';
import { VERSION } from '../version.ts';
import { say } from './paint.ts';
import { asPerson } from './person.ts';

const FORMAT_VERSION = 1;
const PAGE_SIZE = 500;
const LINE_BYTES_MAX = 8_388_608;
const LINE_FEED = 0x0a;

const Header = z.looseObject({ format: z.literal('cairn-events'), version: z.int().min(1) });

type Line = { number: number; event: WholeEvent };

/** `cairn events export`: a header line, then one event a line. */
export async function runExport(config: Config, options: { project?: string; out?: string }): Promise<void> {
  const { project = config.project, out } = options;
  await asPerson(config, async (ctx) => {
    const lines = Readable.from(exportLines(ctx, project), { objectMode: true });
    if (out === undefined) {
      // Whoever reads it may stop early, as `head` does.
      await pipeline(lines, process.stdout, { end: false }).catch((error) => {
        if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
      });
      return;
    }
    // It appears under its name only when it is whole.
    const part = `${out}.part`;
    try {
      await pipeline(lines, createWriteStream(part, { mode: 0o600 }));
      await rename(part, out);
    } catch (error) {
      await rm(part, { force: true }).catch(() => {});
      throw error instanceof DomainError ? error : unusableFile(out, error);
    }
    process.stderr.write(`Exported ${project ?? 'the workspace'} to ${out}.\n`);
  });
}

async function* exportLines(ctx: Context, project: string | undefined): AsyncGenerator<string> {
  const header = { format: 'cairn-events', version: FORMAT_VERSION, cairn: VERSION, project: project ?? null };
  // Asked for first, so that an unknown project fails before anything is written.
  const events = exportEvents(ctx, project);
  let next = await events.next();
  yield `${JSON.stringify({ ...header, exported_at: new Date().toISOString() })}\n`;
  for (; !next.done; next = await events.next()) yield `${JSON.stringify(next.value)}\n`;
}

/** `cairn events import FILE`: page by page; repeated after a failure it goes on where it ended. */
export async function runImport(config: Config, file: string): Promise<void> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  await asPerson(config, async (ctx) => {
    const done = { imported: 0, skipped: 0 };
    let page: Line[] = [];
    try {
      for await (const line of readEvents(input)) {
        page.push(line);
        if (page.length === PAGE_SIZE) {
          await importPage(ctx, page, done);
          page = [];
        }
      }
      await importPage(ctx, page, done);
    } catch (error) {
      if (done.imported > 0) process.stderr.write(`Imported ${done.imported} events before that.\n`);
      throw error instanceof DomainError ? error : unusableFile(file, error);
    }
    say(`Imported ${done.imported} events; ${done.skipped} were there already.`);
  });
}

async function importPage(ctx: Context, page: Line[], done: { imported: number; skipped: number }): Promise<void> {
  const [first, last] = [page[0], page.at(-1)];
  if (first === undefined || last === undefined) return;
  try {
    const { imported, skipped } = await importEvents(
      ctx,
      page.map(({ event }) => event),
    );
    done.imported += imported;
    done.skipped += skipped;
  } catch (error) {
    if (!(error instanceof DomainError) || error.retryable) throw error;
    // SQL knows the event by the position that it had where it comes from.
    const seq = /\b(?:Line|event) (\d+)\b/.exec(error.message)?.[1];
    const line = page.find(({ event }) => String(event.seq) === seq);
    const where = line === undefined ? `Lines ${first.number} to ${last.number}` : `Line ${line.number}`;
    const what = error.message.replace(/^Line \d+ is/, 'It is');
    throw new DomainError(error.code, `${where} cannot be imported. ${what}`, {
      hint: error.hint ?? 'Nothing of that page was imported. Import again when the file is right.',
      cause: error,
    });
  }
}

async function* readEvents(input: Readable): AsyncGenerator<Line> {
  let number = 0;
  let headed = false;
  for await (const line of readLines(input)) {
    number++;
    const text = line.toString().replace(/^\uFEFF/, '');
    if (text.trim() === '') continue;
    const value = parseLine(text, number);
    if (headed) yield { number, event: readEvent(value, number) };
    else checkHeader(value, number);
    headed = true;
  }
  if (!headed) throw new DomainError('invalid_input', 'The file is empty.', { hint: 'Export it again.' });
}

function parseLine(text: string, number: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new DomainError('invalid_input', `Line ${number} is not JSON.`, {
      hint: 'The file was changed or is not whole. Export it again.',
    });
  }
}

function checkHeader(value: unknown, number: number): void {
  const header = Header.safeParse(value);
  if (!header.success) {
    throw new DomainError('invalid_input', `Line ${number} is not the header of exported events.`, {
      hint: 'Import what `cairn events export` wrote; its first line says "format":"cairn-events".',
    });
  }
  if (header.data.version > FORMAT_VERSION) {
    throw new DomainError(
      'invalid_input',
      `The file has format ${header.data.version}; this cairn reads ${FORMAT_VERSION}.`,
      {
        hint: 'Update cairn (npm install -g cairn-mcp@latest).',
      },
    );
  }
}

function readEvent(value: unknown, number: number): WholeEvent {
  const event = WholeEvent.safeParse(value);
  if (event.success) return event.data;
  const issue = event.error.issues[0];
  throw new DomainError(
    'invalid_input',
    `Line ${number} is not an event: ${issue?.path.join('.')}: ${issue?.message}.`,
    {
      hint: 'The file was changed or is not whole. Export it again.',
    },
  );
}

/** Lines of a bounded length, whatever the file is. */
async function* readLines(input: Readable): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let size = 0;
  for await (const chunk of input as AsyncIterable<Buffer>) {
    let from = 0;
    for (let to = chunk.indexOf(LINE_FEED); to !== -1; to = chunk.indexOf(LINE_FEED, from)) {
      yield Buffer.concat([...rest, chunk.subarray(from, to)]);
      [rest, size, from] = [[], 0, to + 1];
    }
    rest.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size > LINE_BYTES_MAX) {
      throw new DomainError('payload_too_large', `A line is longer than ${LINE_BYTES_MAX} bytes.`, {
        hint: 'Import what `cairn events export` wrote.',
      });
    }
  }
  if (size > 0) yield Buffer.concat(rest);
}

function unusableFile(file: string, cause: unknown): DomainError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new DomainError('invalid_input', `The file ${file} cannot be used (${code}).`, {
    hint: 'Name a file that you may read or write, or leave it out for standard input or output.',
    cause,
  });
}
