// Two sub-agents of one Claude Code, which start alike and want the same task.

import type { Given } from '../given.ts';
import type { Play } from '../model.ts';
import { type Place, withEach } from '../place.ts';
import { PROGRAMS } from '../programs.ts';
import { startSession } from '../session.ts';

const WORDS = ['WORKER-ONE', 'WORKER-TWO'];

export async function workers(given: Given): Promise<void> {
  await withEach(given, async (_name, place, expect) => {
    const unnamed = await together(place, () => ({}));
    given.say(unnamed.map(({ claim }) => `without a name: ${firstLine(claim)}`).join('\n'));
    expect('one of two that give no name holds the task', heldOnce(unnamed), unnamed);
    expect("its sibling reads no token of another's lock", !readsToken(unnamed), unnamed);
  });
  await withEach(given, async (_name, place, expect) => {
    const named = await together(place, (word) => ({ as: word.toLowerCase() }));
    given.say(named.map(({ word, claim }) => `as ${word.toLowerCase()}: ${firstLine(claim)}`).join('\n'));
    expect('one of two that give a name holds the task', heldOnce(named), named);
    const claims = (await place.log()).filter(({ type }) => type === 'task.claimed');
    const holder = named.find(({ claim }) => claim.includes('You hold'))?.word.toLowerCase();
    expect('the log names the worker', claims.length === 1 && claims[0]?.by.endsWith(`/${holder}`) === true, claims);
    expect("its sibling reads no token of another's lock", !readsToken(named), named);
  });
}

/** Both resume, then both claim the task, then both resume again. */
async function together(place: Place, nameOf: (word: string) => object) {
  await place.init('claude-code', '--no-instructions');
  const seen: { word: string; before: string; claim: string; after: string }[] = [];
  const work =
    (word: string): Play =>
    async (agent) => {
      const before = await agent.call('resume_project', nameOf(word));
      const claim = await agent.call('claim_task', { task: 'shop-1', ...nameOf(word) });
      const after = await agent.call('resume_project', nameOf(word));
      seen.push({ word, before: before.text, claim: claim.text, after: after.text });
    };
  const play: Play = async (agent) => {
    await agent.call('create_tasks', { tasks: [{ title: 'Write the cart' }, { title: 'Write the page' }] });
    await agent.callOwn(
      'Agent',
      WORDS.map((word) => ({ description: word, subagent_type: 'general-purpose', prompt: `${word}: take a task.` })),
    );
  };
  const workers = Object.fromEntries(WORDS.map((word) => [word, work(word)]));
  await (await startSession(PROGRAMS.claude, place, { play, workers })).ended;
  return seen;
}

/** One holds it, the other is told who does. */
function heldOnce(seen: { claim: string }[]) {
  const held = seen.filter(({ claim }) => claim.includes('You hold shop-1'));
  const refused = seen.filter(({ claim }) => claim.includes('lock_held: '));
  return held.length === 1 && refused.length === 1;
}

/** Tells whether the refused worker is shown a token. */
function readsToken(seen: { before: string; claim: string; after: string }[]) {
  return seen.some(
    ({ before, claim, after }) => claim.includes('lock_held: ') && /lock_token/.test(`${before}${after}`),
  );
}

function firstLine(text: string) {
  return text.split('\n')[0] ?? '';
}
