import { once } from 'node:events';
import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import { hintsFor } from '../../events/hints.ts';
import { PrintedText } from '../../printed.ts';
import type { OutputPage } from '../../services/output.ts';
import { onStopSignal } from '../../stop-signals.ts';
import { leftOutBetween, leftOutText } from '../../tools/output-text.ts';
import { person } from '../../tools/person.ts';
import { amount } from '../../tools/render.ts';
import { findRun } from '../find-run.ts';
import { inLocalContext, perform } from '../local-context.ts';
import type { JsonOption } from '../terminal/output.ts';

// Where hints arrive, one may be missed; where none do, this is how soon something is shown.
const POLL_MS = Object.freeze({ hearing: 2_000, deaf: 300 });
const LAST_BYTES = 262_144;
const PAGE_SIZE = 1_000;

type Leaving = Context & Required<Pick<Context, 'signal'>>;
export type OutputOptions = JsonOption & { follow?: true; tail?: true; all?: true; attempt?: number; color: boolean };

/** `cairn output RUN`: prints what a run printed, and with `--follow` what it prints until it ends. */
export async function runOutput(config: Config, given: string, options: OutputOptions): Promise<void> {
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  const listenNoLonger = onStopSignal(leave);
  // Nobody reads on.
  process.stdout.once('error', leave);
  try {
    await inLocalContext(config, async (ctx) => {
      const run = await findRun(ctx, given);
      await printRun({ ...ctx, signal: () => leaving.signal }, run, options);
    });
  } finally {
    listenNoLonger();
    process.stdout.off('error', leave);
  }
}

async function printRun(ctx: Leaving, run: string, options: OutputOptions): Promise<void> {
  const signal = ctx.signal();
  const printer = options.json ? jsonPrinter(signal) : textPrinter(options, signal);
  const hints = hintsFor(
    ctx.db,
    [
      { topic: 'output', of: run },
      { topic: 'events', of: ctx.actor.tenant_id },
    ],
    signal,
  );
  try {
    await printPages(ctx, run, { options, printer, hints });
  } finally {
    hints.stop();
  }
  await printer.end();
}

type Printing = {
  options: OutputOptions;
  printer: ReturnType<typeof textPrinter | typeof jsonPrinter>;
  hints: ReturnType<typeof hintsFor>;
};

async function printPages(ctx: Leaving, run: string, { options, printer, hints }: Printing): Promise<void> {
  const signal = ctx.signal();
  let { attempt } = options;
  let after: number | undefined;
  let last_bytes = (options.follow && !options.all) || options.tail ? LAST_BYTES : undefined;
  while (!signal.aborted) {
    const from = { run, attempt, after_sequence: after, last_bytes };
    const page = await perform(ctx, person.list_output, { ...from, page_size: PAGE_SIZE });
    if (options.attempt !== undefined && options.attempt > page.attempts)
      throw noAttempt(options.attempt, page.attempts);
    const first = page.chunks[0]?.sequence ?? 0;
    if (last_bytes !== undefined && first > 0) {
      await printer.remark(`Earlier output is not shown: all of it with ${options.follow ? '--all' : 'no --tail'}.`);
      after = first - 1;
    }
    last_bytes = undefined;
    const { chunks, attempts, ended, next_sequence, ...about } = page;
    if (about.attempt > 0) attempt = about.attempt;
    await printer.print(page, after ?? -1);
    after = chunks.at(-1)?.sequence ?? after;
    if (next_sequence !== undefined) continue;
    if (ended || !options.follow) await printer.leaveOut(page, after ?? -1, Number.POSITIVE_INFINITY);
    if (ended && options.attempt === undefined && attempt !== undefined && attempt < attempts) {
      [attempt, after] = [attempt + 1, undefined];
      await printer.remark(`Attempt ${attempt}.`);
      continue;
    }
    if (ended || !options.follow) return;
    await hints.next(hints.hears() ? POLL_MS.hearing : POLL_MS.deaf);
  }
}

function noAttempt(attempt: number, attempts: number): DomainError {
  return new DomainError('not_found', `There is no attempt ${attempt} of this run.`, {
    hint: attempts === 0 ? 'It has not begun.' : `Its latest is ${attempts}.`,
  });
}

/** Prints what a terminal may show, and remarks on standard error, so that a file has the output alone. */
function textPrinter({ color }: OutputOptions, signal: AbortSignal) {
  const printed = new PrintedText({ colours: color && process.stdout.isTTY && process.stdout.hasColors() });
  const show = (text: string) => write(text, signal);
  async function remark(text: string): Promise<void> {
    await show(printed.end({ line: true }));
    process.stderr.write(`! ${text}\n`);
  }
  async function leaveOut({ left_out }: Pick<OutputPage, 'left_out'>, after: number, below: number): Promise<void> {
    const found = leftOutBetween(left_out, { after, below });
    const missing = below - after - 1;
    if (found !== undefined) await remark(leftOutText(found));
    else if (missing > 0 && Number.isFinite(missing))
      await remark(`${amount(missing, 'piece')} of the output ${missing === 1 ? 'is' : 'are'} missing here.`);
  }
  return {
    async print(page: Pick<OutputPage, 'chunks' | 'left_out'>, after: number): Promise<void> {
      let last = after;
      for (const { sequence, content } of page.chunks) {
        await leaveOut(page, last, sequence);
        await show(printed.add(content));
        last = sequence;
      }
    },
    leaveOut,
    remark,
    end: () => show(printed.end()),
  };
}

function jsonPrinter(signal: AbortSignal) {
  const show = (line: object) => write(`${spelledOut(JSON.stringify(line))}\n`, signal);
  async function leaveOut({ run, attempt, left_out }: OutputPage, after: number, below: number): Promise<void> {
    const found = leftOutBetween(left_out, { after, below });
    if (found !== undefined) await show({ run, attempt, left_out: found });
  }
  return {
    async print(page: OutputPage, after: number): Promise<void> {
      const { run, attempt, chunks } = page;
      let last = after;
      for (const chunk of chunks) {
        await leaveOut(page, last, chunk.sequence);
        await show({ run, attempt, ...chunk });
        last = chunk.sequence;
      }
    },
    leaveOut,
    async remark(text: string): Promise<void> {
      process.stderr.write(`! ${text}\n`);
    },
    async end(): Promise<void> {},
  };
}

/** Spells out in JSON the characters besides control characters that a terminal would act on. */
function spelledOut(json: string): string {
  return json.replace(
    /[\u007f-\u009f\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Waits for a slow reader. */
async function write(text: string, signal: AbortSignal): Promise<void> {
  if (text === '' || signal.aborted || process.stdout.write(text)) return;
  await once(process.stdout, 'drain', { signal }).catch(() => {});
}
