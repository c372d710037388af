// Signing in to `cairn serve --auth` where it cannot reach the internet, and being signed out. The person is played by
// Chromium.
import type { Page } from 'playwright-core';
import { findChromium } from '../../support/chromium.ts';
import { openBrowser } from '../browser.ts';
import type { Expect } from '../expectations.ts';
import type { ClientName, Given } from '../given.ts';
import type { Play } from '../model.ts';
import { type Place, withEach } from '../place.ts';
import { PROGRAMS } from '../programs.ts';
import { start } from '../run.ts';
import { startServing } from '../serving.ts';
import { startSession } from '../session.ts';
import { signIn } from '../sign-in.ts';

const NO_MODEL = 'http://127.0.0.1:9';
const SAID_CHARACTERS_MAX = 180;

type How = {
  options: (url: string) => string[];
  addAgain: (url: string) => string[][];
  login: (file: string, url: string) => string[];
};

const codexOptions = (url: string) => ['-c', `mcp_servers.cairn.url="${url}"`];

/** The configuration and the sign-in of each client. */
const HOW: Partial<Record<ClientName, How>> = {
  claude: {
    options: () => [],
    addAgain: (url) => [
      ['mcp', 'remove', 'cairn'],
      ['mcp', 'add', '--transport', 'http', 'cairn', url],
    ],
    // It asks for a terminal, which `script` gives it, wide enough for the address to stay whole.
    login: (file) => ['script', '-qfec', `stty cols 4000; '${file}' mcp login --no-browser cairn`, '/dev/null'],
  },
  codex: {
    options: codexOptions,
    addAgain: () => [],
    login: (file, url) => [file, ...codexOptions(url), 'mcp', 'login', '--no-browser', 'cairn'],
  },
};

export async function signin(given: Given): Promise<void> {
  const chromium = findChromium();
  if (chromium === undefined) {
    given.say('left out: there is no Chromium');
    return;
  }
  await withEach(given, (name, place, expect) => withDocuments({ name, place, expect, say: given.say, chromium }));
  await withEach(given, (name, place, expect) => withoutDocuments({ name, place, expect, say: given.say, chromium }));
}

type Story = { name: ClientName; place: Place; expect: Expect; say: (text: string) => void; chromium: string };

/** A document that cannot be fetched: the first time the page says so, then the client registers. */
async function withDocuments(story: Story) {
  const { expect, say, name } = story;
  await withServer(story, [], async ({ login, addAgain, use }) => {
    const first = await login();
    say(`${name}, with documents: ${cut(first.said)}`);
    if (first.isAllowed) {
      expect('with the internet, it signs in by its document', first.isDone, first.said);
    } else {
      const why = /could not be fetched: \w+/;
      expect('without the internet, the page says what could not be fetched and why', why.test(first.said), first.said);
      await addAgain();
      const second = await login();
      say(`${name}, added again: ${cut(second.said)}`);
      expect('added again, it signs in', second.isDone, second.said);
    }
    const answer = await use();
    expect('signed in, it calls a tool', answer.includes('Created shop'), answer);
  });
}

async function withoutDocuments(story: Story) {
  const { name, place, expect, say } = story;
  await withServer(story, ['--no-client-documents'], async ({ login, use, listServers }) => {
    const { said, isDone } = await login();
    say(`${name}, without documents: ${cut(said)}`);
    expect('where documents are off, it signs in at once', isDone, said);
    const answer = await use();
    expect('signed in, it calls a tool', answer.includes('Created shop'), answer);

    await place.cairn('auth', 'revoke', '--everything', '--yes');
    const listed = await listServers();
    say(`${name}, revoked: ${listed}`);
    if (name === 'claude') expect('revoked, it says that it needs authentication', /needs auth/i.test(listed), listed);
    const refused = await use();
    say(`${name}, revoked: ${cut(refused)}`);
    expect('revoked, its model can do nothing', !refused.includes('Created'), refused);
  });
}

async function withServer(story: Story, flags: string[], tell: (client: ReturnType<typeof clientOf>) => Promise<void>) {
  const { name, place, chromium } = story;
  await PROGRAMS[name].prepare?.(NO_MODEL, place);
  const server = await startServing(place, ...flags);
  const browser = await openBrowser(chromium, server.ownerLink);
  try {
    const client = clientOf(story, server.url, browser.page);
    await client.addAgain();
    await tell(client);
  } finally {
    await browser.close();
    await server.stop();
  }
}

/** Plays the person at the client. */
function clientOf({ name, place }: Story, url: string, page: Page) {
  const program = PROGRAMS[name];
  const how = HOW[name];
  if (how === undefined) throw new Error(`How does ${program.title} sign in?`);
  const env = { ...place.env, ...program.env(NO_MODEL, place), TERM: 'xterm' };
  const run = (args: string[]) => start(program.file, args, { cwd: place.cwd, env }).ended;
  return {
    async addAgain() {
      for (const args of how.addAgain(url)) await run(args);
    },
    login() {
      const [command = '', ...args] = how.login(program.file, url);
      return signIn({ command, args, cwd: place.cwd, env }, page);
    },
    async listServers() {
      const { out } = await run([...how.options(url), 'mcp', 'list']);
      return out.trim().split('\n').at(-1) ?? '';
    },
    /** A session in which the model calls a tool. Resolves to what it was shown, or why it could not. */
    async use() {
      let answer = '';
      const play: Play = async (agent) => {
        const call = agent.call('create_project', { slug: 'shop', name: 'Shop' });
        answer = await call.then(
          ({ text }) => text,
          ({ message }: Error) => message,
        );
      };
      const session = [...how.options(url), ...program.session];
      await (await startSession(program, place, { play, session })).ended;
      return answer;
    },
  };
}

function cut(said: string) {
  return said.slice(0, SAID_CHARACTERS_MAX);
}
