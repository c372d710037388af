import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cairnHere } from '../support/cairn-here.ts';
import { type Agent, connect } from '../support/client.ts';
import { seedDataDir } from '../support/data-dir.ts';

let home: string;
let flags: string[];
let agent: Agent;

const run = (args: string[], input?: string) => cairnHere([...flags, ...args], { input });
const typed = (args: string[]) => cairnHere([...flags, ...args], { isTyped: true });
const json = async (...args: string[]) => JSON.parse((await run([...args, '--json'])).stdout);
const ask = async (text: string, about: object = { project: 'web' }) =>
  ((await agent.call('record_event', { ...about, kind: 'question', text })).data as { seq: number }).seq;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn-questions-'));
  if (process.getuid?.() === 0) await chmod(home, 0o755);
  flags = ['--data-dir', join(home, 'data'), '--project', 'web'];
  await seedDataDir(join(home, 'data'));
  agent = await connect('v1 client', 'test', [...flags, '--agent', 'ada', '--toolsets', 'all']);
  const rules = { gates: [{ on: 'complete', require: { approval: true } }] };
  await agent.call('create_project', { slug: 'web', name: 'Web', rules });
  await agent.call('create_tasks', { project: 'web', tasks: [{ title: 'Pay' }, { title: 'Ship' }] });
});

afterAll(async () => {
  await agent?.close();
  await run(['db', 'stop']);
  await rm(home, { recursive: true, force: true });
});

test('the only open question is answered by words alone, or named by its task', async () => {
  const first = await ask('Which one?');
  expect((await run(['answer', 'The', 'blue one.'])).stdout).toBe(`Answered #${first} on web.\n`);
  const [noted] = (await json('log', '--limit', '1')).events;
  expect(noted).toMatchObject({ kind: 'answer', text: expect.stringContaining('The blue one.') });

  const second = await ask('And here?', { task: 'web-2' });
  expect(await run(['answer', 'web-1', 'x'])).toMatchObject({ code: 1, stderr: expect.stringContaining('of web-1') });
  expect((await run(['answer', 'web2'], 'So.')).stdout).toBe(`Answered #${second} on web-2.\n`);
  expect(await run(['answer', 'So.'])).toMatchObject({ code: 1, stderr: expect.stringContaining('no open question') });
});

test('of many open questions each is shown, and found by its number or its task', async () => {
  const text = `Is it "this",\n\tor \\that? ${'x'.repeat(500)} end`;
  const seqs = [await ask(text, { task: 'web-1' })];
  for (let at = 0; at < 24; at += 1) seqs.push(await ask(`Which ${at}?`));

  const { stdout } = await run(['status']);
  expect(stdout).toContain(`question ${seqs.at(-1)}`);
  expect(stdout).toContain('… and 20 more questions: cairn questions');
  expect(await json('status')).toMatchObject({
    questions_open: 25,
    questions: [{ text: 'Which 23?' }, {}, {}, {}, {}],
  });

  const listed = await run(['questions']);
  expect(listed.stdout).toMatch(/^question \d+ {2}ada {2}\w+( ago)?\n {2}Which 23\?\n\n/);
  expect(listed.stdout).toContain('… and 5 more: cairn questions --limit 25');
  expect((await json('questions', '--limit', '30')).questions).toHaveLength(25);
  expect(await json('questions', '1')).toMatchObject({ open: 1, questions: [{ seq: seqs[0], task: 'web-1', text }] });

  const unnamed = await run(['answer', 'Blue.']);
  expect(unnamed).toMatchObject({ code: 1, stderr: expect.stringContaining('There are 25 open questions.') });
  expect(unnamed.stderr).toContain(`Name one by its number: ${seqs.at(-1)}, ${seqs.at(-2)}, `);

  expect((await run(['answer', 'web-1', 'That.'])).stdout).toBe(`Answered #${seqs[0]} on web-1.\n`);
  expect((await run(['answer', `#${seqs[1]}`, 'This.'])).stdout).toBe(`Answered #${seqs[1]} on web.\n`);
  for (const seq of seqs.slice(2))
    await agent.call('record_event', { project: 'web', kind: 'answer', text: 'x', answers: `${seq}` });
  expect((await run(['questions'])).stdout).toBe('No question is open.\n');
});

test('the status shows the own words of a question on one line, and an approval once it is asked for', async () => {
  const seq = await ask('Is it "this",\nor \\that?', { task: 'web-1' });
  const { task } = (await agent.call('claim_task', { task: 'web-1' })).data as { task: { lock_token: number } };

  const { stdout } = await run(['status']);

  expect(stdout).toMatch(new RegExp(`^question ${seq} +web-1 +ada +Is it "this", or \\\\that\\?$`, 'm'));
  expect(stdout).not.toMatch(/approval|cairn approve/);
  await agent.call('complete_task', { task: 'web-1', lock_token: task.lock_token });
  expect((await run(['status'])).stdout).toContain('Is web-1 done? Pay');
  await typed(['approve', '1']);
  expect((await run(['status'])).stdout).not.toContain('Pay');
});

test('the status shows a claim that has lapsed once, as ready', async () => {
  await agent.call('create_tasks', { project: 'web', tasks: [{ title: 'Lapse' }, { title: 'Held' }] });
  const lapses = { task: 'web-3', ttl_seconds: 1 };
  await agent.call('claim_task', lapses);
  await agent.call('claim_task', { task: 'web-4' });
  await expect.poll(async () => (await json('show', 'web-3')).ready, { timeout: 10_000 }).toBe(true);

  const { stdout } = await run(['status']);

  expect(stdout).toMatch(/^Web web {2}2 ready, 1 in progress, 1 completed/);
  const [, inProgress = '', ready = ''] = stdout.split(/^(?:In progress|Ready)$/m);
  expect(inProgress).toMatch(/^web-4 /m);
  expect(inProgress).not.toMatch(/web-3|more/);
  expect(ready).toMatch(/^web-3 +ready .* ada, expired /m);
});

test('what a person closes is submitted where a gate asks for an approval', async () => {
  expect((await typed(['close', 'web-2'])).stdout).toBe(
    'Not closed yet: web-2 "Ship". It was submitted, and waits for review by a person.\n' +
      'In consequence: an approval was requested.\n',
  );
  expect((await typed(['approve', 'web-2'])).stdout).toContain('Approved web-2 "Ship" (completed).');
});
