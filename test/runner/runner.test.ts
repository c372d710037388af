import { describe, expect, vi } from 'vitest';
import { pipeDriver } from '../../src/runner/drivers/pipe.ts';
import type { RunnerPort } from '../../src/runner/port.ts';
import { listAlerts } from '../../src/services/alerts.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { call, person } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { begun, ended, GRACE_MS, program, send } from './drive.ts';
import { claude, test } from './ways.ts';

const pipe = () => pipeDriver({ program: program('program'), graceMs: GRACE_MS });

describe.for(['the database', 'HTTP'] as const)('a runner of Claude Code over %s', (way) => {
  test.override({ way });

  test('interrupts a run at once, and its process stays', async ({ as, drive }) => {
    const { printed } = await drive({ driver: claude() });
    const first = await send(as('ada'), 'work 60000');
    const { runs } = await begun(as('ada'), first);

    const at = performance.now();
    await call(as('ada'), 'interrupt_run', { run: runs[0]?.id, reason: 'Enough.' });

    expect(await ended(as('ada'), first)).toMatchObject({
      status: 'cancelled',
      runs: [{ status: 'cancelled', end_reason: 'interrupted', error: 'Enough.' }],
    });
    expect(performance.now() - at).toBeLessThan(2_000);
    expect(await ended(as('ada'), await send(as('ada'), 'next'))).toMatchObject({ status: 'completed' });
    expect(printed.join('').match(/begun with heron/g)).toHaveLength(1);
  });

  test('delivers a command, tells who it is from, and keeps the process for the next', async ({ as, drive }) => {
    const { printed } = await drive({ driver: claude() });

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
    expect(said).toMatch(/reads: From agent bob \(command [\da-f-]+\):\n\n> more/);
    expect(said.match(/begun with heron/g)).toHaveLength(1);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('puts a command that interrupts in the place of what runs', async ({ as, drive }) => {
    await drive({ driver: claude() });
    const first = await send(as('ada'), 'work 60000');
    await begun(as('ada'), first);

    const second = await send(as('ada'), 'now', { mode: 'interrupt' });

    expect(await ended(as('ada'), second)).toMatchObject({ status: 'completed' });
    expect(await ended(as('ada'), first)).toMatchObject({ runs: [{ end_reason: 'interrupted' }] });
  });

  test('ends none of several that run for a command that interrupts', async ({ as, drive }) => {
    const enter = async () => {
      const driver = claude();
      return { driver, leave: () => driver.close().then(() => undefined) };
    };
    await drive({ driver: claude(), enter, atOnce: 2 });
    const running = [await send(as('ada'), 'work 3000'), await send(as('ada'), 'work 3000')];
    await Promise.all(running.map((command) => begun(as('ada'), command)));

    const first = await send(as('ada'), 'now', { mode: 'interrupt' });

    expect(await ended(as('ada'), first)).toMatchObject({ status: 'completed' });
    for (const command of running) expect(await ended(as('ada'), command)).toMatchObject({ status: 'completed' });
  });

  test.for<[what: string, content: string, limits: object, end_reason: string, status: string]>([
    ['time', 'work 60000', { time_limit_ms: 200 }, 'time_limit', 'timed_out'],
    ['tokens', 'use 500 work 60000', { token_budget: 100 }, 'token_limit', 'failed'],
    ['silence', 'silent 60000', { silence_limit_ms: 200 }, 'silent', 'failed'],
    ['memory', 'work 60000', { memory_limit_mb: 1 }, 'memory_limit', 'failed'],
  ])('ends a run that exceeds its limit of %s', async ([, content, limits, end_reason, status], { as, drive }) => {
    await drive({ driver: claude() });

    const command = await ended(as('ada'), await send(as('ada'), content, { limits }));

    expect(command).toMatchObject({ status: 'failed', runs: [{ status, end_reason, error: expect.any(String) }] });
    expect(await ended(as('ada'), await send(as('ada'), 'next'))).toMatchObject({ status: 'completed' });
  });

  test('raises an alert at half of the silence that ends a run, which closes with it', async ({ as, drive }) => {
    await drive({ driver: claude() });
    const command = await send(as('ada'), 'silent 60000', { limits: { silence_limit_ms: 4_000 } });

    const raised = await vi.waitUntil(async () => (await listAlerts(as('ada'), {})).alerts[0], { timeout: 3_800 });
    expect(raised).toMatchObject({ kind: 'run_silent', title: 'heron gives no sign of work.' });

    expect(await ended(as('ada'), command)).toMatchObject({ runs: [{ end_reason: 'silent' }] });
    expect(await listAlerts(as('ada'), {})).toEqual({ alerts: [] });
  });

  test('ends what runs within two seconds of the emergency stop, and goes on when it may', async ({ as, drive }) => {
    await drive({ driver: claude() });
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
    await call(person(as('ada')), 'stop_agents', { stopped: false });
    expect(await ended(as('ada'), waiting)).toMatchObject({ status: 'completed' });
  });

  test('does what runs, and tells its end later, while the server is away', async ({ as, drive }) => {
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
    await drive({ driver: claude(), port: away });
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

  test('that is stopped ends what runs, says goodbye, and leaves the queue to the next', async ({ as, drive }) => {
    const { runner, token } = await drive({ driver: claude() });
    const first = await send(as('ada'), 'work 60000');
    await begun(as('ada'), first);
    const waiting = await send(as('ada'), 'later');

    await runner.stop();

    expect(await ended(as('ada'), first)).toMatchObject({ runs: [{ end_reason: 'interrupted' }] });
    expect(await call(as('ada'), 'list_agents')).toMatchObject({ agents: [{ state: 'offline', queued: 1 }] });
    await drive({ driver: claude(), token });
    expect(await ended(as('ada'), waiting)).toMatchObject({ status: 'completed' });
  });
});

describe('a runner of a program', () => {
  test('hands it the text, and takes what it prints for the result', async ({ as, drive }) => {
    const { printed } = await drive({ driver: pipe() });

    const command = await ended(as('ada'), await send(as('ada'), 'Hello.'));

    expect(command).toMatchObject({
      status: 'completed',
      runs: [{ result: expect.stringMatching(/^reads: .+\n> Hello. ä€😀\ndid$/) }],
    });
    expect(printed.join('')).toContain('Hello. ä€😀\n');
    const { id } = command.runs[0] as unknown as { id: string };
    await vi.waitUntil(async () =>
      (await callTool(as('ada'), toolNamed('get_output'), { run: id })).text.includes('Hello.'),
    );
    expect((await callTool(as('ada'), toolNamed('get_output'), { run: id })).text).toContain('Hello. ä€😀');
  });

  test('says with what it ended', async ({ as, drive }) => {
    await drive({ driver: pipe() });

    expect(await ended(as('ada'), await send(as('ada'), 'exit 7'))).toMatchObject({
      runs: [{ status: 'failed', end_reason: 'crashed', error: 'It ended with 7.' }],
    });
  });

  test('tells that there is no such program', async ({ as, drive }) => {
    const missing = pipeDriver({ program: { ...program('program'), command: '/nowhere/heron' }, graceMs: GRACE_MS });
    await drive({ driver: missing });

    expect(await ended(as('ada'), await send(as('ada'), 'x'))).toMatchObject({
      runs: [{ status: 'failed', error: 'The program of the agent is not there.' }],
    });
  });
});

describe('a runner whose driver throws', () => {
  test('fails the run and goes on', async ({ as, drive }) => {
    const driver = claude();
    const broken = { ...driver, deliver: vi.fn(driver.deliver).mockImplementationOnce(throws) };
    await drive({ driver: broken });

    expect(await ended(as('ada'), await send(as('ada'), 'x'))).toMatchObject({
      runs: [{ status: 'failed', end_reason: 'error', error: 'Broken.' }],
    });
    expect(await ended(as('ada'), await send(as('ada'), 'next'))).toMatchObject({ status: 'completed' });
  });
});

function throws(): never {
  throw new Error('Broken.');
}
