import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openPersonWorld, type PersonWorld } from '../support/person-world.ts';
import { RunnerProcess } from '../support/runner-process.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const SHELL = fileURLToPath(new URL('../runner/stand-ins/shell.mjs', import.meta.url));

let world: PersonWorld;
let runner: RunnerProcess;

beforeAll(async () => {
  world = await openPersonWorld();
  const program = [execPath, SHELL, CLI, ...world.flags, '--project', 'web'];
  const args = ['--name', 'worker', '--driver', 'pipe', '--', ...program];
  runner = new RunnerProcess(args, { dataDir: world.flags[1] ?? '' });
  await runner.says('waits for commands');
}, 90_000);

afterAll(async () => {
  await runner?.end('SIGTERM');
  await world?.close();
});

/** Has the agent give commands in its shell, in a run for a task; answers with what they printed, once it has ended. */
async function does(title: string, commands: (task: string) => string[]) {
  const { tasks } = await world.json('add', title);
  const task: string = tasks[0].ref;
  const text = commands(task).map((words) => `$ ${words}`);
  const { id } = await world.json('send', text.join('\n'), '--to', 'worker', '--task', task);
  const run = await vi.waitUntil(
    async () => {
      const { runs } = await world.json('commands', 'show', id);
      return runs[0].status === 'queued' || runs[0].status === 'running' ? undefined : runs[0];
    },
    { timeout: 40_000, interval: 200 },
  );
  const { stdout: printed } = await world.run(['output', run.id ?? 'worker']);
  return { run, printed, task: await world.json('show', task) };
}

describe('an agent that a runner drives, in its own shell', { timeout: 90_000 }, () => {
  test('closes the task of its run, which goes on', async () => {
    const { run, printed, task } = await does('Close me', (ref) => [
      `close ${ref} -m Done.`,
      `note ${ref} Afterwards.`,
    ]);

    expect(printed).toMatch(/-> 0 Closed.*-> 0 .*did/s);
    expect(run).toMatchObject({ status: 'completed' });
    expect(task).toMatchObject({ status: 'completed', summary: 'Done.' });
  });

  test('gives the task of its run back, which goes on', async () => {
    const { run, printed, task } = await does('Release me', (ref) => [`release ${ref} -m Later.`]);

    expect(printed).toMatch(/-> 0 Released.*did/s);
    expect(run).toMatchObject({ status: 'completed' });
    expect(task).toMatchObject({ status: 'pending', last_reason: 'Later.' });
  });

  test('takes the task of its run over from itself, which goes on and gives it back in the end', async () => {
    const { run, printed, task } = await does('Take me', (ref) => [
      `claim ${ref} --take-over`,
      `edit ${ref} --description Changed.`,
      `block ${ref} -m Waits.`,
      `unblock ${ref}`,
      `claim ${ref}`,
    ]);

    expect(printed.match(/-> \d/g)).toEqual(['-> 0', '-> 0', '-> 0', '-> 0', '-> 0']);
    expect(run).toMatchObject({ status: 'completed' });
    expect(task).toMatchObject({ status: 'pending', description: 'Changed.' });
    expect(task).not.toHaveProperty('locked_by');
  });
});
