// A runner drives the client: a command joins its turn while a tool runs, an interrupt leaves its process alive, and a
// budget of tokens ends a run.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Agent } from '../agent.ts';
import { type Driven, drive, hasEnded, waitFor, waitForFile } from '../driving.ts';
import type { Expect } from '../expectations.ts';
import type { Given } from '../given.ts';
import { type Place, withEach } from '../place.ts';
import { processes } from '../processes.ts';
import { PROGRAMS, type Program } from '../programs.ts';

// The model that is played counts more for each of its turns.
const TOKENS = '50';
// Long enough to be told apart.
const SECONDS = { interrupted: 8_641, limited: 8_642 };
const STEER = 'Leave the tests alone.';
const NEXT = 'And now the page.';

type Story = { agent: Agent; driven: Driven; place: Place; program: Program; expect: Expect; say: Given['say'] };

export async function drivers(given: Given): Promise<void> {
  await withEach(given, async (name, place, expect) => {
    const program = PROGRAMS[name];
    await place.cairn('init', '--client', program.client, '--no-instructions', '--yes');
    await drive(program, place, {
      args: program.driven.args,
      first: 'Write the cart.',
      async tell(agent, driven, first) {
        const story = { agent, driven, place, program, expect, say: (text: string) => given.say(`${name}: ${text}`) };
        expect(
          'a command reaches the model as an order of its sender',
          isOrder(agent.first.all, first.id),
          agent.first,
        );
        const pid = driven.pid();
        await steer(story);
        await interrupt(story);
        expect('the same process serves the next command', pid !== undefined && driven.pid() === pid, [
          pid,
          driven.pid(),
        ]);
        await spend(story);
      },
    });
  });
}

/** A command that comes while a tool runs. */
async function steer({ agent, driven, place, program, expect, say }: Story): Promise<void> {
  const joins = program.driven.driver !== 'acp';
  const working = agent.callOwn(program.shell.tool, [
    program.shell.input('touch working; until [ -e go ]; do sleep 0.1; done; echo worked'),
  ]);
  await waitForFile(join(place.cwd, 'working'));
  const sent = performance.now();
  const { id, run } = await driven.send(STEER, '--mode', 'steer');
  if (joins) {
    await driven.told('delivered', run);
    say(`given to its process ${Math.round(performance.now() - sent)} ms after cairn send had started`);
  }
  await writeFile(join(place.cwd, 'go'), '');
  const [result] = await working;
  expect('the tool that ran meanwhile is not lost', result?.text.includes('worked') === true, result);
  if (joins) {
    const { all } = agent.last;
    expect('a steer is in the next request of its model', all.includes(STEER) && isOrder(all, id), all.slice(-3_000));
  } else {
    expect('a steer waits for the end of the turn', !agent.last.all.includes(STEER), agent.last.all.slice(-3_000));
    await agent.say('The cart is there.');
    const { all } = agent.last;
    expect('and is the next turn then', all.includes(STEER) && isOrder(all, id), all.slice(-3_000));
  }
}

/** An interrupt while a tool runs, then another command. */
async function interrupt({ agent, driven, place, program, expect, say }: Story): Promise<void> {
  const working = agent.callOwn(program.shell.tool, [
    program.shell.input(`touch sleeping; sleep ${SECONDS.interrupted}`),
  ]);
  await waitForFile(join(place.cwd, 'sleeping'));
  const open = JSON.parse(await place.cairn('runs', '--open', '--json')) as { runs: { id: string }[] };
  // What joined a turn ends with it.
  const [first = ''] = open.runs.map(({ id }) => id);
  const interrupted = performance.now();
  await place.cairn('runs', 'interrupt', first, '-m', 'Enough.');
  const ended = await driven.until(first, hasEnded);
  say(`ended ${Math.round(performance.now() - interrupted)} ms after cairn runs interrupt had started`);
  expect('an interrupt ends the turn', ended.end_reason === 'interrupted', ended);
  await driven.send(NEXT);
  await working;
  expect('and the next command has a turn of its own', agent.last.all.includes(NEXT), agent.last.all.slice(-3_000));
  await expectGone('what it had started is ended', SECONDS.interrupted, expect);
}

/** A run that uses more than it may. */
async function spend({ agent, driven, program, expect }: Story): Promise<void> {
  const { run } = await driven.send('Write all of it.', '--tokens', TOKENS);
  await agent.say('The page is there.');
  const counts = program.driven.driver !== 'acp';
  // An agent that counts at the end of its turns only has nothing to stop.
  if (!counts) {
    const { run: last } = await driven.send('And the rest.');
    await agent.say('All of it is there.');
    const { tokens_in = 0, tokens_out = 0 } = await driven.until(run, hasEnded);
    expect('its tokens are counted at the end of its turn', tokens_in + tokens_out > Number(TOKENS), [run, last]);
    return;
  }
  const working = agent.callOwn(program.shell.tool, [program.shell.input(`sleep ${SECONDS.limited}`)]);
  const ended = await driven.until(run, hasEnded);
  expect('a budget of tokens ends a run', ended.end_reason === 'token_limit', ended);
  await driven.send('Write less.');
  await working;
  await expectGone('and what that had started', SECONDS.limited, expect);
}

function isOrder(text: string, id: string): boolean {
  return new RegExp(`Operator command ${id}, from \\S`).test(text);
}

async function expectGone(what: string, seconds: number, expect: Expect): Promise<void> {
  const left = () => processes().filter(({ line }) => line.includes(`sleep ${seconds}`) && !line.includes('touch'));
  await waitFor(what, () => left().length === 0).catch(() => {});
  expect(what, left().length === 0, left());
}
