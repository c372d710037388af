import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pipeAtomically } from '../../atomic-write.ts';
import { unusableFile } from '../../bounded-read.ts';
import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { codeOf, DomainError } from '../../errors.ts';
import { getPosition } from '../../events/feed.ts';
import {
  type HistoryLine,
  type HistoryPage,
  historyLines,
  readHistory,
  type User,
  type WholeEvent,
} from '../../events/history-file.ts';
import { importRecords, readRecords } from '../../services/records.ts';
import { exportEvents, importEvents } from '../../services/transfer.ts';
import { inLocalContext, type WorkspaceOption } from '../local-context.ts';
import { type JsonOption, printResult, wrote } from '../terminal/output.ts';
import { type Progress, showProgress } from '../terminal/progress.ts';

const PAGE_EVENTS = 500;
const PAGE_RECORDS = 1_000;
const PAGE_BYTES = 4_194_304;

type Target = JsonOption &
  WorkspaceOption & { project?: string | undefined; out?: string | undefined; records?: true | undefined };

/**
 * `cairn export --all`, `cairn events export`: the whole history of the workspace, or of the named project; with
 * `records` also what machines reported in it.
 */
export async function runExport(config: Config, { project, out, records, ...options }: Target): Promise<void> {
  await inLocalContext(
    config,
    async (ctx) => {
      const progress = showProgress(
        'Exporting',
        project === undefined && out !== undefined ? await getPosition(ctx) : 0,
      );
      const done = { events: 0 };
      const pages = counted(exportEvents(ctx, project), done, progress);
      // Reads the first page early, so that an unknown project fails before anything is written.
      const first = await pages.next();
      const exported_at = new Date().toISOString();
      const parts = { project, exported_at, records: records && readRecords(ctx) };
      const lines = Readable.from(historyLines(resumed(first, pages), parts), { objectMode: true });
      try {
        if (out === undefined) await print(lines);
        else await pipeAtomically([lines], out);
      } finally {
        progress.end();
      }
      const what = project === undefined ? 'the workspace' : `project ${project}`;
      const text = `Exported ${what}: ${done.events} events to ${out ?? 'standard output'}.`;
      wrote({ file: out, project, ...done }, options, text);
    },
    options,
  );
}

async function* counted(pages: AsyncIterable<HistoryPage>, done: { events: number }, progress: Progress) {
  for await (const page of pages) {
    done.events += page.events.length;
    progress.at(done.events);
    yield page;
  }
}

async function* resumed<T>(first: IteratorResult<T>, rest: AsyncIterable<T>): AsyncGenerator<T> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}

/** Prints lines; the reader may stop early, as `head` does. */
async function print(lines: Readable): Promise<void> {
  await pipeline(lines, process.stdout, { end: false }).catch((error) => {
    if (codeOf(error) !== 'EPIPE') throw error;
  });
}

/** `cairn import FILE` of a history, page by page; repeating it after a failure resumes. */
export async function runImport(config: Config, file: string, options: JsonOption & WorkspaceOption): Promise<void> {
  const size = file === '-' ? 0 : ((await stat(file).catch(() => null))?.size ?? 0);
  const input = file === '-' ? process.stdin : createReadStream(file);
  await inLocalContext(
    config,
    async (ctx) => {
      const progress = showProgress('Importing', size);
      const done: Done = { imported: 0, skipped: 0, left_out: 0, cleaned: 0, records: 0 };
      try {
        for await (const page of pagesOf(readHistory(input), done)) {
          if ('rows' in page) await importRows(ctx, page, done);
          else await importPage(ctx, page, done);
          if ('bytesRead' in input) progress.at(input.bytesRead);
        }
      } catch (error) {
        progress.end();
        if (done.imported > 0) process.stderr.write(`Imported ${done.imported} events before that.\n`);
        throw error instanceof DomainError ? error : unusableFile(file, error);
      }
      progress.end();
      const { imported, skipped, left_out, cleaned, records, moved } = done;
      printResult({ imported, skipped, left_out, cleaned, records, moved }, options, () => [
        `Imported ${imported} events; ${skipped} were there already.`,
        ...(records === 0 ? [] : [`Imported ${records} records.`]),
        ...(left_out === 0
          ? []
          : [`Left out ${left_out} that belong to no project, such as alerts: this workspace has its own.`]),
        ...(cleaned === 0 ? [] : [`${cleaned} hold cleaned data: their hashes are kept, but do not prove it.`]),
        ...(moved === undefined
          ? []
          : [`Positions differ: the workspace was not empty. Event #${moved.from} is #${moved.to} here.`]),
      ]);
    },
    options,
  );
}

/** `moved`: a whole workspace did not get its positions back. */
type Done = {
  imported: number;
  skipped: number;
  left_out: number;
  cleaned: number;
  records: number;
  whole?: boolean;
  moved?: { from: number; to: number };
};
type Page = { events: WholeEvent[]; users: User[]; lines: number[] };
type Rows = { table: string; rows: string[] };

async function* pagesOf(lines: AsyncIterable<HistoryLine>, done: Done): AsyncGenerator<Page | Rows> {
  let page: Page = { events: [], users: [], lines: [] };
  let rows: Rows = { table: '', rows: [] };
  let bytes = 0;
  for await (const line of lines) {
    if ('header' in line) done.whole = line.header.project == null;
    else if ('user' in line) page.users.push(line.user);
    else if ('record' in line) {
      const { table, row } = line.record;
      if (page.events.length > 0) yield page;
      page = { events: [], users: [], lines: [] };
      if (rows.table !== table || rows.rows.length === PAGE_RECORDS || bytes >= PAGE_BYTES) {
        if (rows.rows.length > 0) yield rows;
        [rows, bytes] = [{ table, rows: [] }, 0];
      }
      rows.rows.push(row);
      bytes += line.bytes;
    } else {
      page.events.push(line.event);
      page.lines.push(line.number);
      bytes += line.bytes;
      if (page.events.length < PAGE_EVENTS && bytes < PAGE_BYTES) continue;
      yield page;
      [page, bytes] = [{ events: [], users: [], lines: [] }, 0];
    }
  }
  if (page.events.length > 0) yield page;
  if (rows.rows.length > 0) yield rows;
}

async function importRows(ctx: Context, { table, rows }: Rows, done: Done): Promise<void> {
  const { imported } = await importRecords(ctx, { table_name: table, records: rows });
  done.records += imported;
}

async function importPage(ctx: Context, { events, users, lines }: Page, done: Done): Promise<void> {
  try {
    const apart = done.left_out > 0;
    const { imported, skipped, left_out, cleaned, position } = await importEvents(ctx, { events, users, apart });
    done.imported += imported;
    done.skipped += skipped;
    done.left_out += left_out;
    done.cleaned += cleaned;
    const last = events.at(-1)?.seq ?? position;
    if (done.whole && imported > 0 && last !== position) done.moved ??= { from: last, to: position };
  } catch (error) {
    if (!(error instanceof DomainError) || error.retryable) throw error;
    // SQL names the event by its position at the source.
    const seq = /\b(?:Line|event) (\d+)\b/.exec(error.message)?.[1];
    const line = lines[events.findIndex((event) => String(event.seq) === seq)];
    const where = line === undefined ? `Lines ${lines[0]} to ${lines.at(-1)}` : `Line ${line}`;
    const what = error.message.replace(/^Line \d+ is/, 'It is');
    throw new DomainError(error.code, `${where} cannot be imported. ${what}`, {
      hint: error.hint ?? 'Nothing of that page was imported. Import again when the file is right.',
      cause: error,
    });
  }
}
