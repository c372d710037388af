import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, vi } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { Driver } from '../../src/runner/driver.ts';
import { claudeDriver } from '../../src/runner/drivers/claude.ts';
import { pipeDriver } from '../../src/runner/drivers/pipe.ts';
import { databasePort, type RunnerPort } from '../../src/runner/port.ts';
import { Runner } from '../../src/runner/runner.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { call, person } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { test } from '../support/world.ts';

const GRACE_MS = 300;
const running = new Set<Runner>();

afterEach(async () => {
  await Promise.all([...running].map((runner) => runner.stop()));
  running.clear();
});

function program(name: string) {
  const script = fileURLToPath(new URL(`stand-ins/${name}.mjs`, import.meta.url));
  const env = { PATH: process.env['PATH'], CAIRN_AGENT: 'heron' };
  return { command: process.execPath, args: [script], cwd: '/', env };
}
const claude = () => claudeDriver({ program: program('claude'), graceMs: GRACE_MS });
const pipe = () => pipeDriver({ program: program('program'), graceMs: GRACE_MS });

type Given = { driver: Driver; port?: (port: RunnerPort) => RunnerPort; token?: number };

/** Drives the agent `heron`, and keeps what it prints. */
async function drive(ctx: Context, { driver, port = (same) => same, token }: Given) {
  const printed: string[] = [];
  const runner = new Runner({
    port: port(databasePort(ctx, 'heron')),
    driver,
    agent: { name: 'heron', type: 'claude', driver: 'claude', host_machine: 'box' },
    token,
    log: ctx.log,
    everyMs: { beat: 200, control: 30 },
    graceMs: GRACE_MS,
    printed: (_, stream, text) => void printed.push(`${stream} ${text}`),
  });
  running.add(runner);
  const held = await runner.start();
  return { runner, printed, token: held };
}

const send = (ctx: Context, content: string, given: object = {}) =>
  call(ctx, 'send_command', { to: ['heron'], content, ...given });

type Shown = { status: string; runs: { status: string }[]; [field: string]: unknown };

/** Waits for a command to be so. */
async function until(ctx: Context, { id }: { id: string }, is: (command: Shown) => boolean): Promise<Shown> {
  return vi.waitUntil(
    async () => {
      const found = (await call(ctx, 'get_command', { command: id })) as unknown as Shown;
      return is(found) && found;
    },
    { timeout: 20_000, interval: 30 },
  );
}
const ended = (ctx: Context, command: { id: string }) =>
  until(ctx, command, ({ status }) => ['completed', 'failed', 'cancelled'].includes(status));
const begun = (ctx: Context, command: { id: string }) =>
  until(ctx, command, ({ runs }) => runs[0]?.status === 'running');

describe('a runner of Claude Code', () => {
  test('delivers a command, tells who it is from, and keeps the process for the next', async ({ as }) => {
    const { printed } = await drive(as('heron'), { driver: claude() });

    const first = await ended(as('ada'), await send(person(as('ada')), 'use 7'));
    const second = await ended(as('ada'), await send(as('bob'), 'more'));

    expect(first).toMatchObject({
      status: 'completed',
      runs: [
        {
          status: 'completed',
          result: 'did',
          tokens_in: 7,
          tokens_out: 2,
          delivery_path: 'stream-json of Claude Code',
          acked_at: expect.any(String),
        },
      ],
    });
    expect(second).toMatchObject({ status: 'completed' });
    const said = printed.join('');
    expect(said).toMatch(/reads: Operator command [\da-f-]+, from test:\n\nuse 7/);
    expect(said).toMatch(/reads: From agent bob \(command [\da-f-]+\):\n\nmore/);
    expect(said.match(/begun with heron/g)).toHaveLength(1);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('steers a turn, which both commands end with', async ({ as }) => {
    await drive(as('heron'), { driver: claude() });
    const first = await send(as('ada'), 'work 800');
    await begun(as('ada'), first);

    const second = await send(as('ada'), 'And this.', { mode: 'steer' });

    expect(await ended(as('ada'), second)).toMatchObject({ runs: [{ status: 'completed', result: 'did + steered' }] });
    expect(await ended(as('ada'), first)).toMatchObject({ runs: [{ status: 'completed', result: 'did + steered' }] });
  });

  test('interrupts a run and leaves the process alive', async ({ as }) => {
    const { printed } = await drive(as('heron'), { driver: claude() });
    const first = await send(as('ada'), 'work 60000');
    const { runs } = await begun(as('ada'), first);

    await call(as('ada'), 'interrupt_run', { run: (runs[0] as { id?: string }).id, reason: 'Enough.' });

    expect(await ended(as('ada'), first)).toMatchObject({
      status: 'cancelled',
      runs: [{ status: 'cancelled', end_reason: 'interrupted', error: 'Enough.' }],
    });
    expect(await ended(as('ada'), await send(as('ada'), 'next'))).toMatchObject({ status: 'completed' });
    expect(printed.join('').match(/begun with heron/g)).toHaveLength(1);
  });

  test('puts a command that interrupts in the place of what runs', async ({ as }) => {
    await drive(as('heron'), { driver: claude() });
    const first = await send(as('ada'), 'work 60000');
    await begun(as('ada'), first);

    const second = await send(as('ada'), 'now', { mode: 'interrupt' });

    expect(await ended(as('ada'), second)).toMatchObject({ status: 'completed' });
    expect(await ended(as('ada'), first)).toMatchObject({ runs: [{ end_reason: 'interrupted' }] });
  });

  test.for<[what: string, content: string, limits: object, end_reason: string, status: string]>([
    ['time', 'work 60000', { time_limit_ms: 200 }, 'time_limit', 'timed_out'],
    ['tokens', 'use 500 work 60000', { token_budget: 100 }, 'token_limit', 'failed'],
    ['silence', 'silent 60000', { silence_limit_ms: 200 }, 'silent', 'failed'],
    ['memory', 'work 60000', { memory_limit_mb: 1 }, 'memory_limit', 'failed'],
  ])('ends a run that exceeds its limit of %s', async ([, content, limits, end_reason, status], { as }) => {
    await drive(as('heron'), { driver: claude() });

    const command = await ended(as('ada'), await send(as('ada'), content, { limits }));

    expect(command).toMatchObject({ status: 'failed', runs: [{ status, end_reason, error: expect.any(String) }] });
    expect(await ended(as('ada'), await send(as('ada'), 'next'))).toMatchObject({ status: 'completed' });
  });

  test('kills an agent that is deaf, and starts it again for the next command', async ({ as }) => {
    const { printed } = await drive(as('heron'), { driver: claude() });

    const sent = await send(as('ada'), 'deaf work 60000');
    const { runs } = await until(as('ada'), sent, (command) => 'acked_at' in (command.runs[0] ?? {}));
    await call(as('ada'), 'interrupt_run', { run: (runs[0] as { id?: string }).id });
    const deaf = await ended(as('ada'), sent);
    const next = await ended(as('ada'), await send(as('ada'), 'next'));

    expect(deaf).toMatchObject({ runs: [{ status: 'cancelled', end_reason: 'interrupted' }] });
    expect(next).toMatchObject({ status: 'completed' });
    expect(printed.join('')).toMatch(/begun with heron.*--resume a-session/s);
  });

  test('tells of a crash and of a failure, and goes on', async ({ as }) => {
    await drive(as('heron'), { driver: claude() });

    expect(await ended(as('ada'), await send(as('ada'), 'crash'))).toMatchObject({
      runs: [{ status: 'failed', end_reason: 'crashed', error: expect.stringContaining('It ended with 3.') }],
    });
    expect(await ended(as('ada'), await send(as('ada'), 'fail'))).toMatchObject({
      runs: [{ status: 'failed', end_reason: 'error' }],
    });
    expect(await ended(as('ada'), await send(as('ada'), 'next'))).toMatchObject({ status: 'completed' });
  });

  test('ends what runs within two seconds of the emergency stop, and goes on when it may', async ({ as }) => {
    await drive(as('heron'), { driver: claude() });
    const first = await send(as('ada'), 'work 60000');
    await begun(as('ada'), first);
    const waiting = await send(as('ada'), 'later');

    const at = performance.now();
    await call(as('ada'), 'stop_agents', { reason: 'Smoke.' });
    expect(await ended(as('ada'), first)).toMatchObject({ runs: [{ end_reason: 'emergency_stop' }] });

    expect(performance.now() - at).toBeLessThan(2_000);
    expect(await call(as('ada'), 'get_command', { command: waiting.id })).toMatchObject({
      status: 'queued',
      runs: [{ why: 'all agents of the workspace are stopped: Smoke.' }],
    });
    await call(as('ada'), 'stop_agents', { stopped: false });
    expect(await ended(as('ada'), waiting)).toMatchObject({ status: 'completed' });
  });

  test('does what runs, and tells its end later, while the server is away', async ({ as }) => {
    let isAway = false;
    const away = (port: RunnerPort): RunnerPort =>
      Object.fromEntries(
        Object.entries(port).map(([name, ask]) => [
          name,
          async (...args: unknown[]) => {
            if (isAway) throw new Error('connect ECONNREFUSED');
            return (ask as (...given: unknown[]) => Promise<unknown>)(...args);
          },
        ]),
      ) as RunnerPort;
    await drive(as('heron'), { driver: claude(), port: away });
    const first = await send(as('ada'), 'work 1500');
    await begun(as('ada'), first);

    isAway = true;
    const second = await send(as('ada'), 'then');
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await call(as('ada'), 'get_command', { command: first.id })).toMatchObject({ status: 'executing' });
    isAway = false;

    expect(await ended(as('ada'), first)).toMatchObject({ status: 'completed', runs: [{ attempt: 1 }] });
    expect(await ended(as('ada'), second)).toMatchObject({ status: 'completed' });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('that is stopped ends what runs, says goodbye, and leaves the queue to the next', async ({ as }) => {
    const { runner, token } = await drive(as('heron'), { driver: claude() });
    const first = await send(as('ada'), 'work 60000');
    await begun(as('ada'), first);
    const waiting = await send(as('ada'), 'later');

    await runner.stop();

    expect(await ended(as('ada'), first)).toMatchObject({ runs: [{ end_reason: 'interrupted' }] });
    expect(await call(as('ada'), 'list_agents')).toMatchObject({ agents: [{ state: 'offline', queued: 1 }] });
    await drive(as('heron'), { driver: claude(), token });
    expect(await ended(as('ada'), waiting)).toMatchObject({ status: 'completed' });
  });
});

describe('a runner of a program', () => {
  test('hands it the text, and takes what it prints for the result', async ({ as }) => {
    const { printed } = await drive(as('heron'), { driver: pipe() });

    const command = await ended(as('ada'), await send(as('ada'), 'Hello.'));

    expect(command).toMatchObject({ status: 'completed', runs: [{ result: 'read: Hello. ä€😀' }] });
    expect(printed).toEqual(['stdout read: Hello. ä€😀\n']);
    const { id } = command.runs[0] as unknown as { id: string };
    await vi.waitUntil(async () =>
      (await callTool(as('ada'), toolNamed('get_output'), { run: id })).text.includes('Hello.'),
    );
    expect((await callTool(as('ada'), toolNamed('get_output'), { run: id })).text).toContain('read: Hello. ä€😀');
  });

  test('says with what it ended', async ({ as }) => {
    await drive(as('heron'), { driver: pipe() });

    expect(await ended(as('ada'), await send(as('ada'), 'exit 7'))).toMatchObject({
      runs: [{ status: 'failed', end_reason: 'crashed', error: 'It ended with 7.' }],
    });
  });

  test('kills one that is deaf, and keeps little of a flood', { timeout: 60_000 }, async ({ as }) => {
    await drive(as('heron'), { driver: pipe() });
    const before = process.memoryUsage.rss();

    const flood = await ended(as('ada'), await send(as('ada'), 'flood 20'));
    const deaf = await ended(as('ada'), await send(as('ada'), 'deaf work 60000', { limits: { time_limit_ms: 200 } }));

    expect(flood).toMatchObject({ status: 'completed' });
    expect((process.memoryUsage.rss() - before) / 1_048_576).toBeLessThan(200);
    expect(deaf).toMatchObject({ runs: [{ status: 'timed_out', end_reason: 'time_limit' }] });
  });

  test('tells that there is no such program', async ({ as }) => {
    const missing = pipeDriver({ program: { ...program('program'), command: '/nowhere/heron' }, graceMs: GRACE_MS });
    await drive(as('heron'), { driver: missing });

    expect(await ended(as('ada'), await send(as('ada'), 'x'))).toMatchObject({
      runs: [{ status: 'failed', error: 'The program of the agent is not there.' }],
    });
  });
});
