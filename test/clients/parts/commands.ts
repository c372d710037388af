// Commands without a runner: a session that a person started is steered at a tool border and goes on with the next
// command, by the hooks that `cairn init --hooks` writes; an idle Claude Code is woken.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Agent as Listed } from '../../../src/events/agents.ts';
import type { RunBrief } from '../../../src/events/runs.ts';
import type { Agent } from '../agent.ts';
import { waitFor } from '../driving.ts';
import type { Expect } from '../expectations.ts';
import type { ClientName, Given } from '../given.ts';
import { startModel } from '../model.ts';
import { type Place, withEach } from '../place.ts';
import { processes } from '../processes.ts';
import { PROGRAMS, type Program } from '../programs.ts';
import { startSession } from '../session.ts';
import { openTerminal } from '../terminal.ts';

const STEER = 'Leave the tests alone.';
const NEXT = 'And now the page.';
const WAKE = 'Look at the sums.';
const FIRST_WORDS = 'The cart is there.';
// How fast a hook is, npm test says; a loaded machine starts Node.js slowly.
const HOOK_MS = '4000';
// Codex runs no hook that a person has not trusted.
const TRUSTING: Partial<Record<ClientName, string[]>> = {
  codex: ['exec', '--json', '--skip-git-repo-check', '--dangerously-bypass-hook-trust', 'go'],
};

export async function commands(given: Given): Promise<void> {
  await withEach(given, async (name, place, expect) => {
    const program = withHooks(PROGRAMS[name]);
    place.env['CAIRN_HOOK_MS'] = HOOK_MS;
    // Hooks start no database: another agent keeps it up.
    await place.beside(async (bob) => {
      await bob.call(['list_projects', {}]);
      await steerAndGoOn(program, place, { expect, session: TRUSTING[name] ?? program.session });
      if (name === 'claude') await wake(program, place, { expect, say: given.say });
    });
  });
}

/** Their file may be the one that prepares the client. */
function withHooks(program: Program): Program {
  return {
    ...program,
    async prepare(url, place) {
      await program.prepare?.(url, place);
      await place.init(program.client, '--hooks', '--no-instructions');
    },
  };
}

type Story = { expect: Expect; session: string[] };

async function steerAndGoOn(program: Program, place: Place, { expect, session }: Story): Promise<void> {
  const play = async (agent: Agent) => {
    const name = await nameOf(place);
    await place.cairn('send', STEER, '--to', name, '--mode', 'steer');
    await place.cairn('send', NEXT, '--to', name);
    await agent.callOwn(program.shell.tool, [program.shell.input('echo worked')]);
    expect('a steer is read at the tool border', isOrder(agent.last.all, STEER), agent.last.all.slice(-3_000));
    expect('and nothing else is', !agent.last.all.includes(NEXT), agent.last.all.slice(-3_000));
    await agent.say(FIRST_WORDS);
    expect('the next command follows its turn', isOrder(agent.last.all, NEXT), agent.last.all.slice(-3_000));
  };
  await (await startSession(program, place, { play, session })).ended;
  const { runs } = JSON.parse(await place.cairn('runs', '--json')) as { runs: RunBrief[] };
  const ended = runs.map(({ status }) => status);
  expect('both are completed', ended.join() === 'completed,completed', runs);
}

/** At a terminal, where a person would type the next message. */
async function wake(program: Program, place: Place, { expect, say }: { expect: Expect; say: Given['say'] }) {
  const before = new Set(waiting().map(({ pid }) => pid));
  const wait = () => waiting().find(({ pid }) => !before.has(pid));
  let sent = 0;
  const play = async (agent: Agent) => {
    const idle = agent.say('I am idle now.');
    await waitFor('what waits beside it', wait);
    sent = performance.now();
    await place.cairn('send', WAKE, '--to', await nameOf(place));
    await idle;
    say(`claude: woken ${Math.round(performance.now() - sent)} ms after cairn send had started`);
    expect('an idle one is woken', isOrder(agent.last.all, WAKE), agent.last.all.slice(-3_000));
  };
  const model = await startModel(program, play);
  await program.prepare?.(model.url, place);
  await answerForPerson(place);
  const [command = '', ...args] = program.command;
  const terminal = openTerminal(command, [...args, '--permission-mode', 'bypassPermissions', 'go'], {
    cwd: place.cwd,
    env: { ...place.env, ...program.env(model.url, place) },
  });
  const endedEarly = terminal.ended.then(() => {
    throw new Error(`It ended before its play: ${terminal.shown().slice(-600)}`);
  });
  endedEarly.catch(() => {});
  try {
    await Promise.race([model.played, endedEarly]);
  } finally {
    terminal.kill();
    model.close();
  }
  await waitFor('the end of what waited', () => wait() === undefined).catch(() => {});
  expect('what waited beside it ends with it', wait() === undefined, waiting());
}

/** What it asks a person who starts it the first time. */
async function answerForPerson({ home, cwd }: Place): Promise<void> {
  const settings = { enableAllProjectMcpServers: true, skipDangerousModePermissionPrompt: true };
  const state = {
    ...{ hasCompletedOnboarding: true, theme: 'dark', bypassPermissionsModeAccepted: true },
    customApiKeyResponses: { approved: ['none'], rejected: [] },
    projects: { [cwd]: { hasTrustDialogAccepted: true, enabledMcpjsonServers: ['cairn'] } },
  };
  await mkdir(join(home, '.claude'), { recursive: true });
  await writeFile(join(home, '.claude', 'settings.json'), JSON.stringify(settings));
  await writeFile(join(home, '.claude.json'), JSON.stringify(state));
}

const waiting = () => processes().filter(({ line }) => /\bhook wait\b/.test(line));

/** The name of the session that was seen last. */
async function nameOf(place: Place): Promise<string> {
  const { agents } = JSON.parse(await place.cairn('agents', '--json')) as { agents: Listed[] };
  const [last] = agents.sort((a, b) => (b.seen_at ?? '').localeCompare(a.seen_at ?? ''));
  if (last === undefined) throw new Error('No hook has spoken.');
  return last.name;
}

function isOrder(all: string, text: string): boolean {
  return new RegExp(`Operator command \\S+, from [^]{1,200}${text}`).test(all);
}
