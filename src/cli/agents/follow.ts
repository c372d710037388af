import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import type { DomainError } from '../../errors.ts';
import type { RunBrief } from '../../events/runs.ts';
import { oneLine } from '../../text.ts';
import { agents as agentTools } from '../../tools/agents.ts';
import { eachPage, printRetry, readPosition, untilLeft } from '../following.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { type JsonOption, printLine, styled } from '../terminal/output.ts';
import { Screen } from '../terminal/screen.ts';
import { askedOf, type Contents, readContents } from './reading.ts';

/** What changes a list of runs, besides time and the emergency stop. */
export const CHANGING = ['agent.', 'command.', 'run.'];
// A stop, a beat that is missed and tokens that are used make no events.
export const REFRESH_SECONDS = 2;

export type FollowOptions<Found> = {
  read(ctx: Context): Promise<Found>;
  show(found: Found, contents: Contents): string[];
};

/**
 * Follows a list of runs until the person leaves: on a terminal the list, again and again, otherwise a line for each
 * run and each change of one.
 */
export function followRuns<Found extends { runs: RunBrief[] }>(
  config: Config,
  { read, show }: FollowOptions<Found>,
  options: JsonOption,
): Promise<void> {
  return untilLeft((leaving) =>
    inLocalContext(config, async (person) => {
      const ctx = { ...person, signal: () => leaving.signal };
      const from = await readPosition(ctx);
      const watcher =
        process.stdout.isTTY && !options.json
          ? screenOf({ read: () => read(ctx), show, ctx }, leaving)
          : printerOf({ read: async () => (await read(ctx)).runs, ctx }, options);
      try {
        await watcher.take();
        await eachPage(ctx, { from, project: '*', types: CHANGING, seconds: REFRESH_SECONDS }, watcher);
      } finally {
        watcher.close();
      }
    }),
  );
}

type Following<Found> = { ctx: Context; read(): Promise<Found> };
type Watcher = { take(): Promise<void>; missed(error: DomainError): void; close(): void };

function screenOf<Found extends { runs: RunBrief[] }>(
  { ctx, read, show }: Following<Found> & Pick<FollowOptions<Found>, 'show'>,
  leaving: AbortController,
): Watcher {
  const contents: Contents = new Map();
  let lines = () => ['…'];
  let note = '';
  const screen = new Screen((rows) => {
    const footer = styled('dim', note === '' ? 'q to quit' : `${note} Trying again. q to quit`);
    const body = lines().slice(0, Math.max(0, rows - 1));
    return [...body, ...Array<string>(Math.max(0, rows - 1 - body.length)).fill(''), footer].slice(-rows);
  }, leaving);
  return {
    async take() {
      const found = await read();
      await readContents(ctx, found.runs, contents);
      lines = () => show(found, contents);
      note = '';
      screen.draw();
    },
    missed(error) {
      note = error.message;
      screen.draw();
    },
    close: () => screen.close(),
  };
}

function printerOf({ ctx, read }: Following<RunBrief[]>, { json }: JsonOption): Watcher {
  const contents: Contents = new Map();
  const known = new Map<string, { run: RunBrief; printed: string }>();
  const print = (run: RunBrief) => {
    const printed = JSON.stringify(run);
    if (known.get(run.id)?.printed === printed) return;
    known.set(run.id, { run, printed });
    printLine(json ? printed : lineOf(run, contents));
  };
  return {
    async take() {
      const runs = await read();
      if (!json) await readContents(ctx, runs, contents);
      const listed = new Set(runs.map(({ id }) => id));
      // One that has left the list has ended, or stands behind others: its command tells.
      const left = [...known.values()].map(({ run }) => run).filter(({ id }) => !listed.has(id));
      for (const run of [...(await readRunsOf(ctx, left)), ...runs]) print(run);
      for (const { id } of left) if (known.get(id)?.run.ended_at !== undefined) known.delete(id);
    },
    missed: printRetry,
    close: () => {},
  };
}

/** Reads these runs as they are now. */
async function readRunsOf(ctx: Context, runs: readonly RunBrief[]): Promise<RunBrief[]> {
  const commands = new Set(runs.flatMap(({ command }) => (command === undefined ? [] : [command])));
  const ids = new Set(runs.map(({ id }) => id));
  const found = await Promise.all(
    [...commands].map((command) => perform(ctx, agentTools.commands.get_command, { command })),
  );
  return found.flatMap(({ runs = [] }) => runs).filter(({ id }) => ids.has(id));
}

function lineOf(run: RunBrief, contents: Contents): string {
  return [run.id, run.agent, run.status, run.end_reason, run.task, run.why ?? run.error, askedOf(run, contents)]
    .filter((part) => part !== undefined && part !== '')
    .map((part) => oneLine(String(part)))
    .join('  ');
}
