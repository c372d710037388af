import { fileURLToPath } from 'node:url';
import { spawn } from '@lydell/node-pty';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import { type AgentWorld, end, openAgentWorld } from '../support/agent-world.ts';
import { claimed } from '../support/runners.ts';

let world: AgentWorld;

beforeAll(async () => {
  world = await openAgentWorld();
});

afterAll(() => world?.close());

/** A run that asks. */
async function asking(ask: object) {
  const name = `claude-${newId().slice(-4)}`;
  const runner = await world.runner(name);
  await world.run(['send', 'Clean up.', '--to', name]);
  const { run, lock_token } = await claimed(runner);
  const id = newId();
  const data = { for: 'approval', ask: { id, kind: 'permission', title: 'rm -r build', ttl_seconds: 600, ...ask } };
  await runner.report(run.id, lock_token, [{ type: 'run.waiting', data }]);
  const heard = async () => (await runner.beat({ runs: [{ run: run.id, lock_token, asks: [id] }] })).runs[0]?.answers;
  return { id, name, heard };
}

/** What the program prints at a person's terminal. */
function typed(args: string[], env: Record<string, string> = {}): Promise<{ code: number; text: string }> {
  const cli = fileURLToPath(new URL('dist/cli.js', PACKAGE_ROOT));
  const terminal = spawn(process.execPath, [cli, ...world.flags, ...args], {
    ...{ cols: 120, rows: 40, cwd: world.repository },
    env: { PATH: process.env.PATH ?? '', HOME: world.home, ...env },
  });
  let text = '';
  terminal.onData((data) => {
    text += data;
  });
  return new Promise((resolve) => terminal.onExit(({ exitCode }) => resolve({ code: exitCode, text })));
}

describe('what agents ask', () => {
  test('is listed first, and answered at a terminal by a person alone', async () => {
    const { id, name, heard } = await asking({ detail: { command: 'rm -r build' } });

    const { stdout } = await world.run(['approvals']);
    expect(stdout).toContain(`${end(id)}  ${name}  permission  rm -r build`);
    expect(stdout).toMatch(
      /\ncairn approvals show ID {2}cairn approvals approve ID {2}cairn approvals deny ID -m "…"\n$/,
    );
    expect((await world.run(['status'])).stdout).toMatch(/^Agents ask you\n/);
    expect((await world.run(['approvals', 'show', end(id)])).stdout).toContain('"command": "rm -r build"');

    const piped = await world.run(['approvals', 'approve', end(id)]);
    expect(piped).toMatchObject({ code: 1, stderr: expect.stringContaining('decided by a person at a terminal') });
    const agent = await typed(['approvals', 'approve', end(id)], { CAIRN_AGENT: 'ada' });
    expect(agent).toMatchObject({ code: 1, text: expect.stringContaining('decided by a person at a terminal') });

    expect(await typed(['approvals', 'approve', end(id), '-m', 'Once.'])).toMatchObject({
      code: 0,
      text: expect.stringContaining('"rm -r build" is approved.'),
    });
    expect(await heard()).toMatchObject([{ ask: id, decision: 'approved', note: 'Once.' }]);
    expect((await world.run(['approvals'])).stdout).toBe('Nothing waits for a person.\n');
    expect((await world.run(['approvals', 'list', '--all'])).stdout).toMatch(
      /approved by \S.*, (now|\d+s ago) +Once\.\n/,
    );
  });

  test('is denied, and a question takes words', async () => {
    const denied = await asking({});
    const question = await asking({ kind: 'question', title: 'Which port?', options: ['1', '2'] });

    await typed(['approvals', 'deny', end(denied.id)]);
    const wordless = await typed(['approvals', 'approve', end(question.id)]);
    expect(wordless.text).toContain('One of: 1, 2.');
    expect((await world.run(['approvals'])).stdout).toMatch(/deny ID -m "…" {2}cairn approvals answer ID "…"\n$/);
    await typed(['approvals', 'answer', end(question.id), 'the', 'third']);

    expect(await denied.heard()).toMatchObject([{ decision: 'denied' }]);
    expect(await question.heard()).toMatchObject([{ decision: 'approved', answer: 'the third' }]);
    const decided = (await world.run(['approvals', 'list', '--all'])).stdout;
    expect(decided).toMatch(/ denied by \S.*\n/);
    expect(decided).toMatch(/Which port\? .*answered by .* the third\n/);
    expect(decided).not.toContain('cairn approvals');
    expect(await world.run(['approvals', 'show', 'deadbeef'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('`cairn approvals list --all` shows the ids.'),
    });
  });
});

describe('a task that names who checks it', () => {
  test('waits among what agents ask, and is returned with words, or completed by approve', async () => {
    const { ref } = await world.json('add', 'Rotate the keys', '--reviewer', 'anna').then(({ tasks }) => tasks[0]);
    expect((await world.run(['show', ref])).stdout).toContain('Checked by anna before it counts as done');
    const submit = async () => {
      const { task } = (await world.agent.call('claim_task', { task: ref })).data as { task: { lock_token: number } };
      await world.agent.call('complete_task', { task: ref, lock_token: task.lock_token });
    };
    await submit();

    const status = (await world.run(['status'])).stdout;
    expect(status).toContain(`Is ${ref} done? Rotate the keys`);
    expect(status).not.toContain('cairn unblock');
    expect(status).toContain('cairn approvals deny ID');
    expect(status).not.toContain('cairn approvals answer');
    const wordless = await typed(['approvals', 'deny', ref]);
    expect(wordless).toMatchObject({ code: 1, text: expect.stringContaining('Say what is to be changed') });
    await typed(['approvals', 'deny', ref, '-m', 'The old key is still there.']);
    expect(await world.json('show', ref)).toMatchObject({
      ...{ status: 'pending', last_outcome: 'changes_requested', last_reason: 'The old key is still there.' },
    });

    await submit();
    const asked = await world.run(['approve', ref]);
    expect(asked).toMatchObject({ code: 1, stderr: expect.stringContaining('decided by a person at a terminal') });
    const inShell = await world.run(['approve', ref], { isTyped: true, env: { CLAUDECODE: '1' } });
    expect(inShell).toMatchObject({ code: 1, stderr: expect.stringContaining('not by an agent') });
    for (const args of [
      ['edit', ref, '--no-reviewer'],
      ['edit', ref, '--reviewer', 'x'],
      ['close', ref],
    ]) {
      expect(await world.run(args), args.join(' ')).toMatchObject({ code: 1, stderr: asked.stderr });
    }
    expect((await world.run(['approve', ref], { isTyped: true })).stdout).toContain('"Rotate the keys" (completed).');
    expect((await world.run(['approvals'])).stdout).toBe('Nothing waits for a person.\n');

    await world.run(['edit', ref, '--no-reviewer'], { isTyped: true });
    expect(await world.json('show', ref)).not.toHaveProperty('reviewer');
  });
});
