import { expect } from 'vitest';
import { type Doing, heldIn, refIn, type refusalIn } from './agent.ts';

export type Args = Record<string, unknown>;
type Refusal = ReturnType<typeof refusalIn>;
type Call = { tool: string; args: Args };
type Act = (agent: Doing, refusal: Refusal, call: Call) => Promise<string>;

const again = (agent: Doing, { tool, args }: Call, change: Args = {}) => agent.call(tool, { ...args, ...change });

/** The acts that follow from phrases of a hint. They depend only on the refusal and the agent's own call. */
const PHRASES: readonly [says: RegExp, does: Act][] = [
  [
    /^Create one with create_project/,
    async (agent, _, call) => {
      await agent.call('create_project', { slug: 'first', name: 'First' });
      return again(agent, call);
    },
  ],
  [/Use it, or choose another slug/, (agent, _, call) => agent.call('resume_project', { project: call.args.slug })],
  [/claim_task without task/, (agent) => agent.call('claim_task', { project: 'web' })],
  [
    /Otherwise leave a note with record_event/,
    (agent, _, { args }) => agent.call('record_event', { task: args.task, text: 'I would call it otherwise.' }),
  ],
  [/^Stop work on it.*get_task shows/, (agent, _, { args }) => agent.call('get_task', { task: args.task })],
  [
    /^list_tasks shows the refs/,
    async (agent, _, call) => {
      const listed = await agent.call('list_tasks', { project: 'web', ready: true });
      return again(agent, call, { task: refIn(listed.split('\n')[1] ?? '') });
    },
  ],
  [
    /^list_projects shows/,
    async (agent, _, call) => {
      const listed = await agent.call('list_projects');
      return again(agent, call, { project: /^(web)\b/m.exec(listed)?.[1] });
    },
  ],
  [
    /^From \w+ it can be/,
    (agent, { hint }, { args }) => {
      const [status] = /blocked|cancelled/.exec(hint) ?? [];
      return agent.call('update_task', { ...args, status, reason: 'Not now.' });
    },
  ],
  [
    /repeat with (the new version|expected_version)/,
    (agent, { details }, call) => again(agent, call, { expected_version: details.version }),
  ],
  [
    /^Each task waits for the one after it\. Leave one of them out/,
    (agent, _, call) => {
      const { add_dependencies: _dropped, ...rest } = call.args;
      return agent.call(call.tool, { ...rest, title: 'Without it', expected_version: 1 });
    },
  ],
  [
    /^Provide what is missing/,
    async (agent, { details }, call) => {
      let artifact: string | undefined;
      for (const what of details.missing as string[]) {
        const type = /artifact of type (\w+) \(add_artifact\)/.exec(what)?.[1];
        if (type !== undefined) {
          const added = await agent.call('add_artifact', { ...call.args, type, ref: 'run 7' });
          artifact = /[0-9a-f-]{36}/.exec(added)?.[0];
        }
        if (/record_decision with task/.test(what)) {
          await agent.call('record_decision', {
            task: call.args.task,
            title: 'How',
            choice: 'So',
            rationale: 'It works.',
          });
        }
      }
      const numbers = (details.missing as string[]).flatMap((what) => /criterion (\d+)/.exec(what)?.[1] ?? []);
      return again(agent, call, { evidence: numbers.map((number) => ({ criterion: Number(number), artifact })) });
    },
  ],
  [
    /into a task of their own \(discovered_from\)/,
    async (agent, { details }, call) => {
      const outside = details.files as string[];
      await agent.call('create_tasks', {
        project: 'web',
        tasks: [{ title: `Change ${outside.join(', ')}`, discovered_from: call.args.task }],
      });
      const files = (call.args.files as string[]).filter((file) => !outside.includes(file));
      return again(agent, call, { files });
    },
  ],
  [/^Use a new key for a new request/, (agent, _, call) => again(agent, call, { idempotency_key: 'another' })],
  [/store large content elsewhere/, (agent, _, call) => again(agent, call, { text: 'See build.log of run 7.' })],
  [
    /^Others come from claim_task, release_task, complete_task/,
    async (agent, _, { args }) => {
      const held = heldIn(await agent.call('claim_task', { task: args.task }));
      return agent.call('complete_task', { ...held, summary: 'Done.' });
    },
  ],
  [
    /^Arguments of create_tasks/,
    (agent, { message }, call) => {
      const [, most = 0] = /at most (\d+) characters/.exec(message) ?? [];
      const tasks = (call.args.tasks as Args[]).map((task) => ({
        ...task,
        title: String(task.title).slice(0, Number(most)),
      }));
      return again(agent, call, { tasks });
    },
  ],
  [
    /^Ask a person to run: (.+)$/,
    async (agent, { hint }, { args }) => {
      await agent.ask(hint.replace('Ask a person to run: ', ''));
      return agent.call('claim_task', { task: args.task });
    },
  ],
  [
    /^Run `cairn \w+` in a terminal, then repeat the call/,
    async (agent, { hint }, call) => {
      await agent.ask(/`([^`]+)`/.exec(hint)?.[1] ?? '');
      return again(agent, call);
    },
  ],
  [/(^|, then r|^R)epeat (the call|it)/, (agent, _, call) => again(agent, call)],
  [
    /^lock_token: From claim_task/,
    async (agent, _, call) =>
      again(agent, call, { ...heldIn(await agent.call('claim_task', { task: call.args.task })) }),
  ],
];

/** Does what the hint of a refusal says, and expects that it succeeds. */
export async function obey(agent: Doing, refusal: Refusal, call: Call): Promise<void> {
  const [, act] =
    PHRASES.find(([says]) => says.test(refusal.hint) || says.test(refusal.hint.replace(/^\w+: /, ''))) ?? [];
  expect(act, `no way on from: ${refusal.hint}`).toBeDefined();
  await act?.(agent, refusal, call);
  const last = agent.calls.at(-1);
  expect(last?.refused, last?.text).toBe(false);
}
