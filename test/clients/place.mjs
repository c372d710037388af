// A throw-away home with a repository: nothing of the person who runs the tests is read or written.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execPath } from 'node:process';
import { connect } from '../../build/bench/peers/client.js';
import { CLI } from '../../build/bench/rpc.js';
import { start } from './run.mjs';

const WHO = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];

/** @typedef {Awaited<ReturnType<typeof makePlace>>} Place */

/** Makes the place for one story; `remove` stops its database too. */
async function makePlace() {
  const root = await mkdtemp(join(tmpdir(), 'cairn-clients-'));
  // For root the database runs under another account, which has to get in.
  await chmod(root, 0o755);
  const home = join(root, 'home');
  const cwd = join(root, 'shop');
  await Promise.all([home, cwd].map((directory) => mkdir(directory)));
  const env = {
    PATH: [dirname(execPath), '/usr/bin', '/bin'].join(':'),
    HOME: home,
    LANG: 'C.UTF-8',
    TERM: 'dumb',
    CAIRN_DATA_DIR: join(root, 'data'),
  };
  const git = (/** @type {string[]} */ ...args) => start('git', [...WHO, ...args], { cwd, env }).ended;
  await git('init', '--quiet');
  await git('commit', '--quiet', '--allow-empty', '--message', 'Begin');

  const place = {
    home,
    cwd,
    env,
    /** What a command of this checkout prints. @param {string[]} args */
    async cairn(...args) {
      const { code, out, err } = await start(execPath, [CLI, ...args], { cwd, env }).ended;
      if (code !== 0) throw new Error(`cairn ${args.join(' ')} ended with ${code}: ${err}`);
      return out;
    },
    /** @param {string} client what `cairn init --client` calls it @param {string[]} flags */
    init(client, ...flags) {
      return place.cairn('init', '--client', client, ...flags, '--yes');
    },
    /**
     * Acts as another agent, whose server runs for as long. Resolves to what it did.
     * @template Done @param {(bob: import('../../build/bench/peers/client.js').Client) => Promise<Done>} act
     */
    async beside(act) {
      const bob = await connect({ script: CLI, args: ['--data-dir', env.CAIRN_DATA_DIR, '--agent', 'bob'], cwd });
      try {
        return await act(bob);
      } finally {
        await bob.stop();
      }
    },
    /** Who did what, as the log has it. @returns {Promise<{ type: string, by: string }[]>} */
    async log() {
      return JSON.parse(await place.cairn('log', '--limit', '100', '--json')).events;
    },
    async remove() {
      await place.cairn('db', 'stop').catch(() => {});
      await rm(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return place;
}

/** @param {(place: Place) => Promise<void>} story */
async function withPlace(story) {
  const place = await makePlace();
  try {
    await story(place);
  } finally {
    await place.remove();
  }
}

/**
 * Tells a story with each client, in a place of its own; where one fails the others go on.
 * @param {import('./parts.mjs').Given} given
 * @param {(name: string, place: Place, expect: import('./expectations.mjs').Expect) => Promise<void>} story
 */
export async function withEach({ clients, expectOf }, story) {
  for (const name of clients) {
    const expect = expectOf(name);
    await withPlace((place) => story(name, place, expect)).catch((error) =>
      expect('it runs to its end', false, error.stack),
    );
  }
}

/** Changes a file of the place. @param {string} file @param {(text: string) => string} edit */
export async function edit(file, edit) {
  await writeFile(file, edit(await readFile(file, 'utf8')));
}
