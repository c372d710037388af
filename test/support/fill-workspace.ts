import { newId } from '../../src/events/ids.ts';
import { listRuns } from '../../src/services/commands.ts';
import { addOutput, setOutputSearch } from '../../src/services/output.ts';
import { claimRun, registerAgent, reportRun } from '../../src/services/runner.ts';
import { addSteps } from '../../src/services/steps.ts';
import { append, type Caller, createProject, createTask, hold, record } from './commands.ts';
import { request } from './reports.ts';

const ATTEMPTS_MAX = 3;

export type Filled = {
  project: string;
  tasks: string[];
  artifact: string;
  decision: string;
  checkpoint: string;
  session: string;
  alert: string;
  agent: string;
  command: string;
  run: string;
  preset: string;
  profile: string;
  approval: string;
  report: string;
  memory: string;
};

/** Fills a workspace: every table has a row, every kind of thing happened. */
export async function fillWorkspace(who: Caller, slug = 'web'): Promise<Filled> {
  const trigger = { on: 'task.completed', do: { enqueue: { topic: 'done' } } };
  const rules = { triggers: [trigger], attempts_max: ATTEMPTS_MAX };
  const project = await createProject(who, { slug, description: 'The pelican site.', rules });
  const first = await createTask(who, {
    project: slug,
    title: 'Paint the pelican',
    acceptance_criteria: ['It is pink.'],
    labels: ['Paint'],
  });
  const second = await createTask(who, { project: slug, title: 'Show the pelican', dependencies: [first.ref] });
  const third = await createTask(who, { project: slug, title: 'Sell the pelican', parent: second.ref });
  const artifact = await finish(who, first.ref);
  const token = await hold(who, second.ref);
  const outcome = { outcome: 'failed', reason: 'The pelican flew.' };
  await record(who, {
    stream: `task:${second.ref}`,
    type: 'task.released',
    data: outcome,
    expect: { lock_token: token },
  });
  await record(who, {
    stream: `task:${third.ref}`,
    type: 'task.cancelled',
    data: { reason: 'No buyer for a pelican.' },
  });
  const decision = await decide(who, slug);
  const [checkpoint, session] = [newId(), newId()];
  const saved = { project: slug, summary: 'One pelican is painted.' };
  await append(who, [
    { stream: `checkpoint:${checkpoint}`, type: 'checkpoint.saved', data: { ...saved, label: 'Pelican one' } },
    { stream: `session:${session}`, type: 'session.saved', data: { ...saved, snapshot: { mood: 'pelican' } } },
  ]);
  const question = { text: 'Which pelican next?', kind: 'question' };
  await record(who, { stream: `project:${slug}`, type: 'project.noted', data: question });
  await hold(who, second.ref);
  const alert = await giveUp(who, slug);
  return {
    project,
    tasks: [first.id, second.id, third.id],
    artifact,
    decision,
    checkpoint,
    session,
    alert,
    ...(await saveCommands(who, slug)),
    ...(await sendCommands(who, slug)),
    approval: await ask(who, slug),
    report: await report(who, slug),
    memory: await remember(who, slug),
  };
}

/** An agent has done one command; another waits for it. */
async function sendCommands(who: Caller, project: string) {
  const agent = `pelican-${project}`;
  const registered = await registerAgent(who, { agent: { name: agent, type: 'claude', driver: 'pipe', project } });
  const send = async (content: string) => {
    const id = newId();
    await record(who, {
      stream: `command:${id}`,
      type: 'command.sent',
      data: { to: [agent], content, project, execution_constraints: { time_limit_ms: 60_000 } },
    });
    return id;
  };
  await send('Feed the pelican.');
  const { token } = registered;
  const done = await claimRun(who, { agent, token });
  if ('nothing' in done) throw new Error(done.nothing);
  const events = [
    { type: 'run.delivered', data: { path: 'pelican post' } },
    { type: 'run.finished', data: { status: 'completed', end_reason: 'completed', result: 'The pelican ate.' } },
  ];
  const content = 'The pelican eats.\n';
  const chunks = [{ sequence: 0, stream: 'stdout', content, at: new Date().toISOString() } as const];
  await setOutputSearch({ db: who.db, actor: { ...who.actor, agent: null } }, { enabled: true });
  await addOutput(who, { run: done.run.id, lock_token: done.lock_token, chunks });
  await addSteps(who, {
    run: done.run.id,
    lock_token: done.lock_token,
    steps: [request(done.run.id, 'a', { tokens_in: 1 })],
  });
  await reportRun(who, { run: done.run.id, lock_token: done.lock_token, events });
  await record(who, {
    stream: `artifact:${newId()}`,
    type: 'artifact.added',
    data: { run: done.run.id, project, type: 'document', ref: 'pelican.md' },
  });
  const command = await send('Wash the pelican.');
  const [waiting] = (await listRuns(who, { agent })).runs;
  return { agent: registered.agent.id, command, run: waiting?.id ?? '' };
}

/** An agent waits for a person's answer. */
async function ask(who: Caller, project: string): Promise<string> {
  const id = newId();
  const data = { kind: 'question', title: 'Which pelican flies?', detail: { pelicans: 2 }, ttl_seconds: 600, project };
  await record(who, { stream: `approval:${id}`, type: 'approval.requested', data });
  return id;
}

/** An agent has written down what it found. */
async function report(who: Caller, project: string): Promise<string> {
  const id = newId();
  const findings = [{ description: 'The pelican limps.', severity: 'high', evidence: ['pelican.jpg'] }];
  const attachments = [{ name: 'Pelican notes', content: 'It limps on the left.' }];
  const data = { title: 'Health of the pelican', summary: 'The pelican limps.', findings, attachments, project };
  await record(who, { stream: `report:${id}`, type: 'report.saved', data });
  return id;
}

/** What was remembered first is superseded. */
async function remember(who: Caller, project: string): Promise<string> {
  const [first, second] = [newId(), newId()];
  const data = { scope: 'project', key: 'Pelican food', project };
  await append(who, [
    { stream: `memory:${first}`, type: 'memory.remembered', data: { ...data, text: 'The pelican eats fish.' } },
    { stream: `memory:${second}`, type: 'memory.remembered', data: { ...data, text: 'The pelican eats bread.' } },
  ]);
  return second;
}

/** A preset and a profile for the project. */
async function saveCommands(who: Caller, project: string): Promise<{ preset: string; profile: string }> {
  const [preset, profile] = [newId(), newId()];
  const variables = [{ name: 'colour', description: 'Of the pelican.', default: 'pink' }];
  const template = { name: `Paint in ${project}`, content: 'Paint the pelican {{colour}}.', variables };
  const limits = { name: `Pelican in ${project}`, time_limit_ms: 60_000 };
  await append(who, [
    { stream: `preset:${preset}`, type: 'preset.saved', data: { ...template, project } },
    { stream: `profile:${profile}`, type: 'profile.saved', data: { ...limits, project } },
  ]);
  return { preset, profile };
}

async function finish(who: Caller, ref: string): Promise<string> {
  const token = { lock_token: await hold(who, ref) };
  const id = newId();
  const artifact = {
    task: ref,
    type: 'diff',
    ref: 'pelican.diff',
    summary: 'Pelican, painted.',
    files: ['pelican.svg'],
  };
  await record(who, { stream: `artifact:${id}`, type: 'artifact.added', data: artifact, expect: token });
  const data = { summary: 'The pelican is pink.', evidence: [{ criterion: 1, note: 'Seen.', artifact: id }] };
  await append(who, [{ stream: `task:${ref}`, type: 'task.completed', data, expect: token }], { key: `finish-${ref}` });
  return id;
}

/** A task is given up as often as its project allows, which raises an alert. */
async function giveUp(who: Caller, project: string): Promise<string> {
  const { ref } = await createTask(who, { project, title: 'Teach the pelican' });
  const data = { outcome: 'failed', reason: 'The pelican sleeps.' };
  const release = async () =>
    append(who, [{ stream: `task:${ref}`, type: 'task.released', data, expect: { lock_token: await hold(who, ref) } }]);
  for (let attempt = 1; attempt < ATTEMPTS_MAX; attempt += 1) await release();
  const { followed } = await release();
  return String(followed[0]?.stream.slice('alert:'.length));
}

async function decide(who: Caller, project: string): Promise<string> {
  const [first, second] = [newId(), newId()];
  const data = { project, title: 'Colour of the pelican', options: ['pink', 'white'], rationale: 'Pelicans vary.' };
  await append(who, [
    { stream: `decision:${first}`, type: 'decision.recorded', data: { ...data, choice: 'white' } },
    { stream: `decision:${second}`, type: 'decision.recorded', data: { ...data, choice: 'pink', supersedes: first } },
  ]);
  return second;
}
