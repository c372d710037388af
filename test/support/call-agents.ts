import type { Context } from '../../src/context.ts';
import type { Claimed } from '../../src/services/runner.ts';
import { addSteps } from '../../src/services/steps.ts';
import type { Lock } from './calls.ts';
import { request } from './reports.ts';
import { claimed, runnerOf } from './runners.ts';

type Started = Extract<Claimed, { command: unknown }>;

type Call = (agent: string, name: string, input?: Record<string, unknown>) => Promise<{ id: string }>;

/** Calls each tool of agents. */
export async function callAgents(call: Call, ctx: Context): Promise<void> {
  const runner = await runnerOf(ctx, 'heron-1');
  await call('ada', 'list_agents');
  const { id: command } = await call('ada', 'send_command', { to: ['heron-1'], content: 'Feed\nthe elephant.' });
  await call('ada', 'get_command', { command });
  const { run, lock_token } = await claimed(runner);
  await addSteps(ctx, {
    run: run.id,
    lock_token,
    steps: [request(run.id, 'a', { tokens_in: 7, error: 'It\nslept.' })],
  });
  await call('ada', 'get_run', { run: run.id });
  await call('ada', 'interrupt_run', { run: run.id, reason: 'It sleeps' });
  await call('ada', 'next_command');
  await call('ada', 'send_command', { to: ['ada'], content: 'Feed the lion.' });
  const { given } = (await call('ada', 'next_command')) as never as { given: Started };
  const held = { run: given.run.id, lock_token: given.lock_token };
  await call('ada', 'update_command', { ...held, text: 'It sleeps.' });
  await call('ada', 'update_command', { ...held, status: 'completed', text: 'Fed.' });
  const finding = { description: 'It sleeps\n> by day.', severity: 'high', evidence: ['elephant.jpg'] };
  const { id: report } = await call('ada', 'save_report', { title: 'Sleep\nof it', findings: [finding] });
  const sections = [{ title: 'How', content: 'We looked.', type: 'code' }];
  await call('ada', 'save_report', { report, summary: 'It sleeps.', sections, complete: true });
  await call('ada', 'get_report', { report });
  await call('ada', 'remember', { key: 'nap\ntime', text: 'It naps\nat noon.', task: 'web-1', confidence: 0.4 });
  await call('ada', 'remember', { key: 'nap time', text: 'It naps at one.', source: 1, project: 'web' });
  await call('ada', 'recall', { key: 'nap time', include_all: true });
  await call('ada', 'list_queue');
  await call('ada', 'ask_approval', { title: 'Which elephant?', options: ['Ella', 'Emma'], wait_seconds: 0 });
  await call('ada', 'list_approvals');
  await call('ada', 'list_runs');
  const reviewed = [{ title: 'Weigh the elephant', reviewer: 'bob' }];
  const { tasks } = (await call('ada', 'create_tasks', { project: 'web', tasks: reviewed })) as never as {
    tasks: { ref: string }[];
  };
  const { task } = (await call('ada', 'claim_task', { task: tasks[0]?.ref })) as never as { task: Lock };
  await call('ada', 'complete_task', { task: tasks[0]?.ref, lock_token: task.lock_token });
  await call('bob', 'review_task', { task: tasks[0]?.ref, decision: 'approved' });
  await call('ada', 'get_output', { run: run.id });
  await call('ada', 'cancel_command', { command });
  await call('ada', 'list_commands');
  await call('ada', 'change_agent', { agent: 'heron-1', change: 'rename', name: 'heron-2' });
  await call('ada', 'stop_agents', { reason: 'Night' });
}
