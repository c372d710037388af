import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import type { EventBrief } from '../../services/events.ts';
import { oneLine } from '../../text.ts';
import { events as eventTools } from '../../tools/events.ts';
import { eachPage, printRetry, readPosition, untilLeft } from '../following.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { eventTable, importer, whatOf } from '../log/log.ts';
import { type JsonOption, printLine, styled } from '../terminal/output.ts';
import { Screen } from '../terminal/screen.ts';
import { readStatus } from './status.ts';

const RECENT_MAX = 100;
const WAIT_SECONDS = 20;
// An agent is lost, and a limit passes, without an event.
const REFRESH_SECONDS = 5;

type View = { status(): string[]; recent: EventBrief[]; note: string };

/** `cairn watch`: shows who holds what and the latest events, until the person leaves. */
export async function runWatch(config: Config, options: JsonOption): Promise<void> {
  await untilLeft((leaving) =>
    inLocalContext(config, (person) => {
      const ctx = { ...person, signal: () => leaving.signal };
      return process.stdout.isTTY && !options.json ? watchScreen(ctx, leaving) : follow(ctx, leaving.signal, options);
    }),
  );
}

async function watchScreen(ctx: Context, leaving: AbortController): Promise<void> {
  const view: View = { status: () => ['…'], recent: [], note: '' };
  const screen = new Screen((rows) => frame(view, rows), leaving);
  try {
    const latest = await perform(ctx, eventTools.commands.list_events, { page_size: RECENT_MAX });
    view.recent = latest.events;
    view.status = (await readStatus(ctx)).lines;
    screen.draw();
    await eachPage(
      ctx,
      { from: latest.position, seconds: REFRESH_SECONDS },
      {
        async take(events) {
          view.recent = [...events.reverse(), ...view.recent].slice(0, RECENT_MAX);
          view.status = (await readStatus(ctx)).lines;
          view.note = '';
          screen.draw();
        },
        missed(error) {
          view.note = error.message;
          screen.draw();
        },
      },
    );
  } finally {
    screen.close();
  }
}

/** Draws a terminal of so many rows: the status, then as many events as there is room for. */
export function frame({ status, recent, note }: View, rows: number): string[] {
  const footer = styled('dim', note === '' ? 'q to quit' : `${note} Trying again. q to quit`);
  const room = Math.max(0, rows - 1);
  const happened = recent.length === 0 ? [] : ['', styled('bold', 'Just happened'), ...eventTable(recent)];
  const standing = status().slice(0, Math.max(room - happened.length, Math.ceil((room * 2) / 3)));
  const body = [...standing, ...happened].slice(0, room);
  return [...body, ...Array<string>(room - body.length).fill(''), footer].slice(-rows);
}

/** Prints each event as a line, without a terminal. */
async function follow(ctx: Context, signal: AbortSignal, { json }: JsonOption): Promise<void> {
  const position = await readPosition(ctx);
  if (signal.aborted) return;
  await eachPage(
    ctx,
    { from: position, seconds: WAIT_SECONDS },
    {
      async take(events) {
        for (const event of events) {
          printLine(json ? JSON.stringify(event) : lineOf(event));
        }
      },
      missed: printRetry,
    },
  );
}

function lineOf(event: EventBrief): string {
  const { seq, at, by, imported_by, task } = event;
  const imported = imported_by === undefined ? undefined : `(imported by ${oneLine(importer(event))})`;
  return [`#${seq}`, at, oneLine(by), imported, task, whatOf(event)].filter(Boolean).join('  ');
}
