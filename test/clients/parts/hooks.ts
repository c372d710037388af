// The hooks that `cairn init --hooks` writes, run by Claude Code: what the model is told, and what is saved.
import type { Expect } from '../expectations.ts';
import type { Given } from '../given.ts';
import type { Play } from '../model.ts';
import { type Place, withEach } from '../place.ts';
import { PROGRAMS } from '../programs.ts';
import { startSession } from '../session.ts';

// The second where the client's own server has been quicker to start the database.
const ASK =
  /Cairn holds the plan and the hand-over of this repository\. Call resume_project\.|Next: resume_project for all of it/;
const FIRST_WORDS = 'The cart is half done; the sums are next.';
const LAST_WORDS = 'The sums are right; the page is next.';
const STREAM = ['--input-format', 'stream-json', '--output-format', 'stream-json', '--verbose'];

export async function hooks(given: Given): Promise<void> {
  await withEach(given, async (_name, place, expect) => {
    await place.init('claude-code', '--hooks', '--no-instructions');
    await firstSession(place, expect);
    await secondSession(place, expect);
  });
}

/** Nothing runs yet; it works, stops, works and is compacted. */
async function firstSession(place: Place, expect: Expect): Promise<void> {
  const play: Play = async (agent) => {
    await agent.call('create_tasks', { tasks: [{ title: 'Write the cart' }, { title: 'Write the page' }] });
    await agent.call('claim_task', { task: 'shop-1' });
    await agent.say(FIRST_WORDS);
    await agent.call('record_event', { task: 'shop-1', kind: 'progress', text: 'The sums are right.' });
    await agent.say(LAST_WORDS);
    // The client asks for a summary of its own.
    await agent.say('We wrote the cart.');
  };
  const session = ['-p', ...STREAM, '--permission-mode', 'bypassPermissions'];
  const prompts = ['go', 'go on', '/compact', 'and now'];
  const { agent } = await (await startSession(PROGRAMS.claude, place, { play, session, prompts })).ended;
  expect('a session that starts where nothing runs is told to resume', ASK.test(agent.first.all), agent.first.all);
  const compacted = agent.requests.at(-1)?.all ?? '';
  expect(
    'the session that was compacted is given where it stood',
    /Checkpoint \W+Saved before compaction/.test(compacted) && compacted.includes(LAST_WORDS),
    compacted,
  );
  expect(
    'and its token again',
    /You hold:\W+shop-1[^\n]*lock_token 2/.test(compacted.replaceAll('\\n', '\n')),
    compacted,
  );
  const log = await place.log();
  const saved = log.filter(({ type }) => type === 'checkpoint.saved');
  const [compaction, stop] = saved.map(({ text }) => text);
  expect('stopping saves a checkpoint, in its last words', stop?.includes(FIRST_WORDS) === true, log);
  expect('so does compaction', compaction?.includes(LAST_WORDS) === true, log);
  const names = new Set(log.filter(({ type }) => /^(task\.claimed|checkpoint\.saved)$/.test(type)).map(({ by }) => by));
  expect('server and hooks are one agent', names.size === 1 && saved.length > 0, log);
}

/** Another agent keeps the database up. */
async function secondSession(place: Place, expect: Expect): Promise<void> {
  const { agent } = await place.beside(async (bob) => {
    await bob.call(['list_tasks', {}]);
    return (await startSession(PROGRAMS.claude, place, { play: async () => {} })).ended;
  });
  const { all } = agent.first;
  expect(
    'the next session beside a running one starts with the hand-over',
    all.includes(LAST_WORDS) && all.includes('shop-2'),
    all,
  );
}
