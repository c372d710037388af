// A client that starts a sub-agent while a runner drives it: a person sees who works, by name.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Agent } from '../agent.ts';
import { type Driven, drive, hasEnded, waitForFile } from '../driving.ts';
import type { Expect } from '../expectations.ts';
import type { ClientName, Given } from '../given.ts';
import type { Play } from '../model.ts';
import { type Place, withEach } from '../place.ts';
import { PROGRAMS, type Program } from '../programs.ts';

const WORD = 'SCOUT';
const UNTIL_GO = 'until [ -e go ]; do sleep 0.1; done';

type Story = { agent: Agent; driven: Driven; place: Place; program: Program; run: string; expect: Expect };

export async function subagents(given: Given): Promise<void> {
  await withEach(given, async (name, place, expect) => {
    const program = PROGRAMS[name];
    const { shell } = program;
    const scout: Play = async (agent) => {
      await agent.callOwn(shell.tool, [shell.input(`touch looking; ${UNTIL_GO}`)]);
    };
    await drive(program, place, {
      args: program.driven.args,
      first: 'Write the cart.',
      workers: { [WORD]: scout },
      async tell(agent, driven, { run }) {
        const shown = await STORIES[name]?.({ agent, driven, place, program, run, expect });
        given.say(`${name}: ${shown}`);
      },
    });
  });
}

const STORIES: Partial<Record<ClientName, (story: Story) => Promise<string>>> = {
  /** Claude Code ends its turn, and goes on by itself when a sub-agent is done. */
  async claude(story) {
    const { agent, driven, place, run, expect } = story;
    await begin(story);
    const over = agent.say('A scout looks at it.');
    const shown = await expectShown(story);
    await writeFile(join(place.cwd, 'go'), '');
    await over;
    await driven.send('And the page.');
    await agent.say('It has looked.');
    const ended = await driven.until(run, hasEnded);
    expect('and ends after it, with what its agent said then', ended.result === 'It has looked.', ended);
    expect(
      'the next command has a turn of its own',
      agent.last.all.includes('And the page.'),
      agent.last.all.slice(-900),
    );
    const output = await place.cairn('output', run);
    expect('the output names the sub-agent beside what it did', output.includes(`[${shown}] >`), output);
    return shown;
  },

  /** Codex lets its sub-agents work on when its turn ends; a turn that needs them waits. */
  async codex(story) {
    const { agent, driven, place, program, run, expect } = story;
    await agent.callOwn('tool_search', [{ query: 'spawn agent', limit: 20 }]);
    await begin(story);
    const waiting = agent.callOwn(program.shell.tool, [program.shell.input(UNTIL_GO)]);
    const shown = await expectShown(story);
    await writeFile(join(place.cwd, 'go'), '');
    await waiting;
    await driven.send('And the page.');
    // What the sub-agent said may join the turn once more.
    while (!agent.last.all.includes('And the page.')) await agent.say('It has looked.');
    const ended = await driven.until(run, hasEnded);
    expect(
      'and ends after it, with what its agent said then',
      ended.result?.includes('It has looked.') === true,
      ended,
    );
    return shown;
  },
};

async function begin({ agent, place, program }: Story): Promise<void> {
  const { subagent } = program;
  if (subagent === undefined) throw new Error(`How does ${program.title} start a sub-agent?`);
  await agent.callOwn(subagent.tool, [subagent.input(`${WORD}: look at the cart.`)]);
  await waitForFile(join(place.cwd, 'looking'));
}

/** Resolves to the name under which the sub-agent is shown. */
async function expectShown({ driven, place, program, run, expect }: Story): Promise<string> {
  const working = await driven.until(run, (found) => found.subagents !== undefined);
  const [shown = ''] = working.subagents ?? [];
  expect('its run names the sub-agent at work', program.subagent?.name.test(shown) === true, working);
  expect('cairn runs shows it', (await place.cairn('runs')).includes(shown));
  expect('cairn agents shows it', (await place.cairn('agents')).includes(shown));
  expect('the run goes on while it works', working.status === 'running', working);
  return shown;
}
