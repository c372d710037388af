// Signing in to `cairn serve --auth` where it cannot reach the internet, and being signed out. The person is played by Chromium.
import { findChromium } from '../../../build/test/support/chromium.js';
import { openBrowser } from '../browser.mjs';
import { withEach } from '../place.mjs';
import { PROGRAMS } from '../programs.mjs';
import { start } from '../run.mjs';
import { startServing } from '../serving.mjs';
import { startSession } from '../session.mjs';
import { signIn } from '../sign-in.mjs';

const NO_MODEL = 'http://127.0.0.1:9';
const SAID_CHARACTERS_MAX = 180;

/** How each client is told of a server, and signs in to it. */
const HOW = {
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
    options: (url) => ['-c', `mcp_servers.cairn.url="${url}"`],
    addAgain: () => [],
    login: (file, url) => [file, ...HOW.codex.options(url), 'mcp', 'login', '--no-browser', 'cairn'],
  },
};

/** @param {import('../parts.mjs').Given} given */
export async function signin(given) {
  const chromium = findChromium();
  if (chromium === undefined) return given.say('left out: there is no Chromium');
  await withEach(given, (name, place, expect) => withDocuments({ name, place, expect, say: given.say, chromium }));
  await withEach(given, (name, place, expect) => withoutDocuments({ name, place, expect, say: given.say, chromium }));
}

/** @typedef {{ name: string, place: import('../place.mjs').Place, expect: import('../expectations.mjs').Expect, say: (text: string) => void, chromium: string }} Story */

/** A document that cannot be fetched: the first time the page says so, then the client registers. @param {Story} story */
async function withDocuments(story) {
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

/** @param {Story} story */
async function withoutDocuments(story) {
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

/** @param {Story} story @param {string[]} flags @param {(client: ReturnType<typeof clientOf>) => Promise<void>} tell */
async function withServer(story, flags, tell) {
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

/** What a person does with the client. @param {Story} story @param {string} url @param {import('playwright-core').Page} page */
function clientOf({ name, place }, url, page) {
  const program = PROGRAMS[name];
  const how = HOW[name];
  const env = { ...place.env, ...program.env(NO_MODEL, place), TERM: 'xterm' };
  const run = (/** @type {string[]} */ args) => start(program.file, args, { cwd: place.cwd, env }).ended;
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
      const play = async (agent) => {
        const call = agent.call('create_project', { slug: 'shop', name: 'Shop' });
        answer = await call.then(
          ({ text }) => text,
          ({ message }) => message,
        );
      };
      const session = [...how.options(url), ...program.session];
      await (await startSession(program, place, { play, session })).ended;
      return answer;
    },
  };
}

/** @param {string} said */
function cut(said) {
  return said.slice(0, SAID_CHARACTERS_MAX);
}
