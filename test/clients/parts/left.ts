// A task that was left by a session that was killed, and two sub-agents that both do what they are told about it.
import { randomUUID } from 'node:crypto';
import { AnswerLog, lineOf } from '../answer-log.ts';
import type { Given } from '../given.ts';
import { startHolding } from '../holding.ts';
import type { Play } from '../model.ts';
import { type Place, withEach } from '../place.ts';
import { PROGRAMS } from '../programs.ts';
import { startSession } from '../session.ts';

const WORDS = ['WORKER-ONE', 'WORKER-TWO'];
const SESSION = randomUUID();

const NEXT: Record<string, string[]> = {
  'of the next session': [],
  'of the same session, resumed': ['--resume', SESSION],
};

export async function left(given: Given): Promise<void> {
  for (const [which, args] of Object.entries(NEXT)) {
    await withEach(given, async (_name, place, expect) => {
      await leaveTask(place);
      const answers = new AnswerLog();
      const taken = await takeUp(place, args, answers);
      given.say(`Two sub-agents ${which}\n\n${answers.report()}\n`);
      expect(`of two sub-agents ${which}, one goes on with what was left`, new Set(taken).size === taken.length, taken);
    });
  }
}

async function leaveTask(place: Place) {
  await place.init('claude-code', '--no-instructions');
  const act: Play = async (agent) => {
    await agent.call('create_tasks', { tasks: [{ title: 'Write the cart' }, { title: 'Write the page' }] });
    await agent.call('claim_task', { task: 'shop-1' });
  };
  const session = await startHolding(PROGRAMS.claude, place, { act, args: ['--session-id', SESSION] });
  await session.kill();
}

/** Resolves to the task that each takes for its own. */
async function takeUp(place: Place, args: string[], answers: AnswerLog) {
  const taken: string[] = [];
  const work =
    (word: string): Play =>
    async (agent) => {
      const resumed = await agent.call('resume_project');
      const next = lineOf(resumed.text, 'Next: ');
      answers.note(word, 'resume_project', { text: next });
      const own = /go on with (\S+)\./.exec(next)?.[1];
      if (own !== undefined) {
        taken.push(own);
        return;
      }
      const [, task, from] = /claim_task (\S+) with take_over: true, from: ([^;]+)/.exec(next) ?? [];
      const claims = [task === undefined ? {} : { task, take_over: true, from }, {}];
      for (const input of claims) {
        const { text } = await agent.call('claim_task', input);
        answers.note(word, `claim_task ${JSON.stringify(input)}`, { text });
        const held = /You hold (\S+)/.exec(text)?.[1];
        if (held !== undefined) {
          taken.push(held);
          return;
        }
      }
    };
  const play: Play = async (agent) => {
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
