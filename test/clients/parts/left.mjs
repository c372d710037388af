// A task that was left by a session that was killed, and two sub-agents that both do what they are told about it.
import { randomUUID } from 'node:crypto';
import { startHolding } from '../holding.mjs';
import { withEach } from '../place.mjs';
import { PROGRAMS } from '../programs.mjs';
import { startSession } from '../session.mjs';
import { lineOf, Told } from '../told.mjs';

const WORDS = ['WORKER-ONE', 'WORKER-TWO'];
const SESSION = randomUUID();

/** @type {Record<string, string[]>} */
const NEXT = { 'of the next session': [], 'of the same session, resumed': ['--resume', SESSION] };

/** @param {import('../parts.mjs').Given} given */
export async function left(given) {
  for (const [which, args] of Object.entries(NEXT)) {
    await withEach(given, async (_name, place, expect) => {
      await leaveTask(place);
      const told = new Told();
      const taken = await takeUp(place, args, told);
      given.say(`Two sub-agents ${which}\n\n${told.report()}\n`);
      expect(`of two sub-agents ${which}, one goes on with what was left`, new Set(taken).size === taken.length, taken);
    });
  }
}

/** @param {import('../place.mjs').Place} place */
async function leaveTask(place) {
  await place.init('claude-code', '--no-instructions');
  const act = async (agent) => {
    await agent.call('create_tasks', { tasks: [{ title: 'Write the cart' }, { title: 'Write the page' }] });
    await agent.call('claim_task', { task: 'shop-1' });
  };
  const session = await startHolding(PROGRAMS.claude, place, { act, args: ['--session-id', SESSION] });
  await session.kill();
}

/** Resolves to the task that each takes for its own. @param {import('../place.mjs').Place} place @param {string[]} args @param {Told} told */
async function takeUp(place, args, told) {
  /** @type {string[]} */
  const taken = [];
  const work = (/** @type {string} */ word) => async (agent) => {
    const resumed = await agent.call('resume_project');
    const next = lineOf(resumed.text, 'Next: ');
    told.note(word, 'resume_project', { text: next });
    const own = /go on with (\S+)\./.exec(next)?.[1];
    if (own !== undefined) return taken.push(own);
    const [, task, from] = /claim_task (\S+) with take_over: true, from: ([^;]+)/.exec(next) ?? [];
    const claims = [task === undefined ? {} : { task, take_over: true, from }, {}];
    for (const input of claims) {
      const { text } = await agent.call('claim_task', input);
      told.note(word, `claim_task ${JSON.stringify(input)}`, { text });
      const held = /You hold (\S+)/.exec(text)?.[1];
      if (held !== undefined) return taken.push(held);
    }
  };
  const play = async (agent) => {
    const prompts = WORDS.map((word) => ({
      description: word,
      subagent_type: 'general-purpose',
      prompt: `${word}: go on.`,
    }));
    await agent.callOwn('Agent', prompts);
  };
  const workers = Object.fromEntries(WORDS.map((word) => [word, work(word)]));
  await (await startSession(PROGRAMS.claude, place, { play, workers, args })).ended;
  return taken;
}
