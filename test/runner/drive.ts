import { fileURLToPath } from 'node:url';
import { inject, vi } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { Driver } from '../../src/runner/driver.ts';
import type { Kept } from '../../src/runner/keeper.ts';
import type { Notice } from '../../src/runner/notice.ts';
import type { OpenPlace } from '../../src/runner/place.ts';
import { databasePort, type RunnerPort } from '../../src/runner/port.ts';
import { Runner } from '../../src/runner/runner.ts';
import { call } from '../support/calls.ts';

export const GRACE_MS = 300;
const running = new Set<Runner>();

/** Stops the runners of the test that ends. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((runner) => runner.stop()));
  running.clear();
}

/** A stand-in for an agent. */
export function program(name: string, ...args: string[]) {
  const script = fileURLToPath(new URL(`stand-ins/${name}.mjs`, import.meta.url));
  const env = { PATH: process.env['PATH'], CAIRN_AGENT: 'heron' };
  return { command: process.execPath, args: [script, ...args], cwd: '/', env };
}

type Given = {
  driver: Driver;
  /** By default straight over the database. */
  over?: RunnerPort;
  port?: (port: RunnerPort) => RunnerPort;
  token?: number;
  resumed?: readonly Kept[];
  enter?: OpenPlace;
  /** How many runs it does at once. */
  atOnce?: number;
  processorMs?: number;
  askSeconds?: number;
  graceMs?: number;
  everyMs?: { beat: number; control: number };
};

/** Drives the agent `heron`, and keeps what it prints. */
export async function drive(ctx: Context, { driver, port = (same) => same, token, resumed = [], ...given }: Given) {
  const {
    askSeconds,
    atOnce,
    graceMs = GRACE_MS,
    enter,
    processorMs,
    over = databasePort(ctx, 'heron'),
    everyMs = { beat: 200, control: 30 },
  } = given;
  const printed: string[] = [];
  const notices: Notice[] = [];
  const runner = new Runner({
    port: port(over),
    driver,
    agent: {
      ...{ name: 'heron', type: 'claude', driver: 'claude', host_machine: 'box' },
      ...(atOnce !== undefined && { config: { runs_at_once: atOnce } }),
    },
    token,
    resumed,
    log: ctx.log,
    spoolDir: inject('scratch'),
    everyMs,
    graceMs,
    ...(askSeconds !== undefined && { askSeconds }),
    ...(processorMs !== undefined && { processorMs }),
    ...(enter !== undefined && { enter }),
    printed: (_, stream, text) => void printed.push(`${stream} ${text}`),
    tell: (notice) => void notices.push(notice),
  });
  running.add(runner);
  const held = await runner.start();
  return { runner, printed, notices, token: held };
}

export const send = (ctx: Context, content: string, given: object = {}) =>
  call(ctx, 'send_command', { to: ['heron'], content, ...given });

type Shown = { status: string; runs: { id: string; status: string }[]; [field: string]: unknown };

/** Waits for a command to be so. */
export async function until(ctx: Context, { id }: { id: string }, is: (command: Shown) => boolean): Promise<Shown> {
  return vi.waitUntil(
    async () => {
      const found = (await call(ctx, 'get_command', { command: id })) as unknown as Shown;
      return is(found) && found;
    },
    { timeout: 20_000, interval: 30 },
  );
}
export const ended = (ctx: Context, command: { id: string }) =>
  until(ctx, command, ({ status }) => ['completed', 'failed', 'cancelled'].includes(status));
export const begun = (ctx: Context, command: { id: string }) =>
  until(ctx, command, ({ runs }) => runs[0]?.status === 'running');
