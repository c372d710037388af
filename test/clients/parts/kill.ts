// Tests which session holds a task when sessions meet, are killed, sleep and come back, and what each of them is answered.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { heldIn } from '../../../bench/everyday.ts';
import type { Agent } from '../agent.ts';
import { AnswerLog, lineOf } from '../answer-log.ts';
import type { Expect } from '../expectations.ts';
import type { Given } from '../given.ts';
import { type Holding, startHolding } from '../holding.ts';
import type { Play } from '../model.ts';
import { type Place, withEach } from '../place.ts';
import { PROGRAMS } from '../programs.ts';
import { startSession } from '../session.ts';

// The locks of a session that ended lapse after two minutes.
const GRACE_SECONDS = 120;
const SLACK_SECONDS = 40;
const ASK_EVERY_MS = 10_000;

export async function kill(given: Given): Promise<void> {
  await withEach(given, async (_name, place, expect) => {
    const answers = new AnswerLog();
    try {
      await place.init('claude-code', '--no-instructions');
      await tell({ place, expect, answers });
    } finally {
      given.say(answers.report());
    }
  });
}

type Story = { place: Place; expect: Expect; answers: AnswerLog };

async function tell(story: Story) {
  const session = randomUUID();
  const first = await startHolding(PROGRAMS.claude, story.place, { args: ['--session-id', session], act: begin });
  const sleeper = await besideIt(story);
  sleeper.signalServer('SIGSTOP');
  const slept = performance.now();
  await openedTwice(story, session);
  await resumed(story, { killed: first, session });
  await succeeded(story);
  sleeper.signalServer('SIGCONT');
  const { agent } = await sleeper.goOn();
  const shown = agent.requests.at(-1)?.results.at(-1) ?? { text: '' };
  const seconds = Math.round((performance.now() - slept) / 1_000);
  story.answers.note(`its server slept ${seconds} s`, 'complete_task shop-2', shown);
  story.expect('whoever slept still holds what nobody claimed', shown.text.includes('shop-2 completed'), shown.text);
}

async function begin(agent: Agent): Promise<void> {
  await agent.call('create_tasks', { tasks: ['cart', 'page', 'mail'].map((what) => ({ title: `Write the ${what}` })) });
  await agent.call('claim_task', { task: 'shop-1' });
}

/** A second session at the same time. */
function besideIt({ place, expect, answers }: Story) {
  let held: object = {};
  return startHolding(PROGRAMS.claude, place, {
    async act(agent) {
      const refused = await agent.call('claim_task', { task: 'shop-1' });
      answers.note('the second of two at once', 'claim_task shop-1', refused);
      expect('the second of two sessions at once is refused', refused.text.includes('lock_held: '), refused.text);
      const claim = await agent.call('claim_task');
      answers.note('the second of two at once', 'claim_task', claim);
      expect('and takes another task', claim.text.includes('You hold shop-2'), claim.text);
      held = heldIn(claim.text);
    },
    async afterwards(agent) {
      await agent.call('complete_task', { ...held, summary: 'The page is there.' });
    },
  });
}

/** The same session once more, while it goes on in another process. */
async function openedTwice({ place, expect, answers }: Story, session: string) {
  const play: Play = async (agent) => {
    const { text } = await agent.call('resume_project');
    answers.note('the same session, opened twice', 'resume_project', { text: lineOf(text, '- shop-1') });
    expect('a session that is opened twice reads no token of the one at work', !text.includes('lock_token'), text);
    const refused = await agent.call('claim_task', { task: 'shop-1' });
    answers.note('the same session, opened twice', 'claim_task shop-1', refused);
    expect('and is refused its task', refused.text.includes('lock_held: '), refused.text);
  };
  await (await startSession(PROGRAMS.claude, place, { play, args: ['--resume', session] })).ended;
}

/** The same session again, after its client was killed. */
async function resumed(
  { place, expect, answers }: Story,
  { killed, session }: { killed: Holding; session: string },
): Promise<void> {
  answers.restart();
  await killed.kill();
  answers.note('the first, killed', 'none', { text: 'Its server has ended.' });
  const play: Play = async (agent) => {
    const { text } = await agent.call('resume_project');
    answers.note('the same session, resumed', 'resume_project', { text: lineOf(text, '- shop-1') });
    const token = Number(/^- shop-1 .*lock_token (\d+)/m.exec(text)?.[1]);
    expect('a session that is resumed finds its lock, with the token', token > 0, text);
    const done = await agent.call('complete_task', {
      task: 'shop-1',
      lock_token: token,
      summary: 'The cart is there.',
    });
    answers.note('the same session, resumed', 'complete_task shop-1', done);
    expect('and completes its task with it', done.text.includes('shop-1 completed'), done.text);
  };
  await (await startSession(PROGRAMS.claude, place, { play, args: ['--resume', session] })).ended;
}

/** Another session, after one that was killed. */
async function succeeded({ place, expect, answers }: Story) {
  const killed = await startHolding(PROGRAMS.claude, place, {
    act: async (agent) => {
      await agent.call('claim_task', { task: 'shop-3' });
    },
  });
  answers.restart();
  await killed.kill();
  answers.note('a third, killed', 'none', { text: 'Its server has ended.' });
  const play: Play = async (agent) => {
    const { text } = await agent.call('resume_project');
    const lines = [lineOf(text, '- shop-3'), lineOf(text, 'Next: ')];
    answers.note('the next session', 'resume_project', { text: lines.join('\n') });
    expect('resume says that the session ended', /shop-3.*its session ended/.test(text), text);
    expect('and what to call', /^Next: claim_task shop-3 with take_over: true/m.test(text), text);
    expect('a session that sleeps is not taken for ended', !/shop-2.*its session ended/.test(text), text);
    let claim = await agent.call('claim_task', { task: 'shop-3' });
    answers.note('the next session', 'claim_task shop-3', claim);
    expect('the refusal says that the session ended', /its session ended .*take_over/s.test(claim.text), claim.text);
    while (!claim.text.includes('You hold') && answers.seconds < GRACE_SECONDS + SLACK_SECONDS) {
      await pause(ASK_EVERY_MS);
      claim = await agent.call('claim_task', { task: 'shop-3' });
    }
    answers.note('the next session', 'claim_task shop-3', claim);
    expect('two minutes later the task is free', claim.text.includes('You hold shop-3'), claim.text);
  };
  await (await startSession(PROGRAMS.claude, place, { play })).ended;
}
