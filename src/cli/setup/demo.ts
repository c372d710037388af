import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { within } from '../../deadline.ts';
import { DomainError } from '../../errors.ts';
import { recordOf } from '../../records.ts';
import { onStopSignal } from '../../stop-signals.ts';
import { printLine, styled } from '../terminal/output.ts';
import { connectAgent, type DemoAgent, type DemoAnswer } from './demo-client.ts';

const TASKS = [
  {
    key: 'api',
    title: 'Write the cart API',
    acceptance_criteria: ['POST /cart answers 201', 'The tests pass'],
    priority: 'high',
  },
  { title: 'Build the checkout page', acceptance_criteria: ['A person can pay'], dependencies: ['api'] },
];
const EVIDENCE = [
  { criterion: 1, note: 'curl shows 201' },
  { criterion: 2, note: '12 passed, 0 failed' },
];

const DEMO_MS_MAX = 300_000;

/** `cairn demo`: a hand-over between agents, through real servers, on a temporary database. */
export async function runDemo(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'cairn-demo-'));
  const agents: DemoAgent[] = [];
  const connect = async (name: string) => {
    const agent = await connectAgent(name, dataDir);
    agents.push(agent);
    return agent;
  };
  const leaveAll = () => Promise.all(agents.map((agent) => agent.leave()));
  // The calls in flight then fail, and the database is removed as at any other end.
  const interrupt = () => {
    process.exitCode = 130;
    void leaveAll();
  };
  const listenNoLonger = onStopSignal(interrupt);
  try {
    await within(DEMO_MS_MAX, 'the demo to end', play(connect, leaveAll));
  } catch (error) {
    if (process.exitCode !== 130) throw error;
  } finally {
    await leaveAll();
    listenNoLonger();
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function play(connect: (name: string) => Promise<DemoAgent>, leaveAll: () => Promise<unknown>): Promise<void> {
  printLine(
    styled('bold', 'A hand-over between agents, each with a cairn process of its own, on a temporary database'),
  );
  const [ada, bob] = await Promise.all([connect('ada'), connect('bob')]);

  scene('ada plans');
  await step(ada, 'create_project', { args: { slug: 'shop', name: 'Shop' }, lines: 1 });
  await step(ada, 'create_tasks', { args: { project: 'shop', tasks: TASKS }, lines: 3 });

  scene('Only one agent holds a task');
  const held = await step(ada, 'claim_task', { args: { task: 'shop-1' }, lines: 1 });
  await step(bob, 'claim_task', { args: { task: 'shop-1' }, lines: 1, refused: true });

  scene('ada completes it with evidence; what waited for it is ready, and bob takes it');
  const summary = 'The cart API is in src/cart.ts; prices are in cents.';
  const done = { task: 'shop-1', lock_token: tokenOf(held), summary, evidence: EVIDENCE };
  await step(ada, 'complete_task', { args: done, lines: 1 });
  const next = await step(bob, 'claim_task', { args: { project: 'shop' }, lines: 6 });

  scene('bob runs out of context: a checkpoint, and the task goes back');
  const checkpoint = {
    label: 'The form renders',
    summary: 'The form renders; payment is not wired up.',
    resume_instructions: 'Wire the form to POST /cart in src/checkout.tsx.',
  };
  await step(bob, 'save_checkpoint', { args: { project: 'shop', ...checkpoint }, lines: 1 });
  const reason = 'My context is full; the payment call is next.';
  const release = { task: 'shop-2', lock_token: tokenOf(next), outcome: 'paused', reason };
  await step(bob, 'release_task', { args: release, lines: 1 });

  scene('Both are gone. A fresh agent knows where to go on');
  await leaveAll();
  const cleo = await connect('cleo');
  await step(cleo, 'resume_project', { args: { project: 'shop' }, lines: 9 });
  await step(cleo, 'claim_task', { args: { project: 'shop' }, lines: 7 });
  printLine(`\n${styled('green', 'Done: claim, refusal, completion, checkpoint and resume.')}`);
}

function scene(title: string): void {
  printLine(`\n${styled('bold', title)}`);
}

type Shown = { lines: number; refused?: boolean };

async function step(
  agent: DemoAgent,
  tool: string,
  { args, ...shown }: { args: Record<string, unknown> } & Shown,
): Promise<DemoAnswer> {
  printLine(`${styled('cyan', `${agent.name} >`)} ${tool} ${styled('dim', JSON.stringify(args))}`);
  const answer = await agent.call(tool, args);
  if (answer.isError !== (shown.refused ?? false)) {
    throw new DomainError(
      'internal',
      `The demo did not go as written: ${tool} answered "${answer.text.slice(0, 300)}".`,
    );
  }
  for (const line of answer.text.split('\n').slice(0, shown.lines)) {
    printLine(`    ${answer.isError ? styled('red', line) : line}`);
  }
  return answer;
}

function tokenOf({ data }: DemoAnswer): unknown {
  return recordOf(data['task'])['lock_token'];
}
