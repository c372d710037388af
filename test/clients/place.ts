// A throw-away home with a repository: nothing of the person who runs the tests is read or written.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execPath } from 'node:process';
import { type Client, connect } from '../../bench/peers/client.ts';
import { CLI } from '../../bench/rpc.ts';
import type { EventBrief, EventPage } from '../../src/services/events.ts';
import type { Expect } from './expectations.ts';
import type { ClientName, Given } from './given.ts';
import { start } from './run.ts';
import { openTerminal } from './terminal.ts';

const WHO = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];

export type Place = {
  home: string;
  cwd: string;
  env: Record<string, string>;
  /** Returns the output of a command of this checkout. */
  cairn(...args: string[]): Promise<string>;
  /** The same, typed by the person at a terminal. */
  typed(...args: string[]): Promise<string>;
  /** `client` is what `cairn init --client` calls it. */
  init(client: string, ...flags: string[]): Promise<string>;
  /** Acts as another agent, whose server runs for as long. Resolves to what it did. */
  beside<Done>(act: (bob: Client) => Promise<Done>): Promise<Done>;
  /** Returns the log: who did what. */
  log(): Promise<EventBrief[]>;
  remove(): Promise<void>;
};

/** Makes the place for one story; `remove` stops its database too. */
async function makePlace(): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), 'cairn-clients-'));
  // For root the database runs under another account, which has to get in.
  await chmod(root, 0o755);
  const home = join(root, 'home');
  const cwd = join(root, 'shop');
  const data = join(root, 'data');
  await Promise.all([home, cwd].map((directory) => mkdir(directory)));
  const env = {
    PATH: [dirname(execPath), '/usr/bin', '/bin'].join(':'),
    HOME: home,
    LANG: 'C.UTF-8',
    TERM: 'dumb',
    CAIRN_DATA_DIR: data,
  };
  const git = (...args: string[]) => start('git', [...WHO, ...args], { cwd, env }).ended;
  await git('init', '--quiet');
  await git('commit', '--quiet', '--allow-empty', '--message', 'Begin');

  const place: Place = {
    home,
    cwd,
    env,
    async cairn(...args) {
      const { code, out, err } = await start(execPath, [CLI, ...args], { cwd, env }).ended;
      if (code !== 0) throw new Error(`cairn ${args.join(' ')} ended with ${code}: ${err}`);
      return out;
    },
    async typed(...args) {
      const terminal = openTerminal(execPath, [CLI, ...args], { cwd, env });
      await terminal.ended;
      return terminal.shown();
    },
    init(client, ...flags) {
      return place.cairn('init', '--client', client, ...flags, '--yes');
    },
    async beside(act) {
      const bob = await connect({ script: CLI, args: ['--data-dir', data, '--agent', 'bob'], cwd });
      try {
        return await act(bob);
      } finally {
        await bob.stop();
      }
    },
    async log() {
      return (JSON.parse(await place.cairn('log', '--limit', '100', '--json')) as EventPage).events;
    },
    async remove() {
      await place.cairn('db', 'stop').catch(() => {});
      await rm(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return place;
}

async function withPlace(story: (place: Place) => Promise<void>): Promise<void> {
  const place = await makePlace();
  try {
    await story(place);
  } finally {
    await place.remove();
  }
}

/** Tells a story with each client, in a place of its own; where one fails the others go on. */
export async function withEach(
  { clients, expectOf }: Given,
  story: (name: ClientName, place: Place, expect: Expect) => Promise<void>,
): Promise<void> {
  for (const name of clients) {
    const expect = expectOf(name);
    await withPlace((place) => story(name, place, expect)).catch((error: Error) =>
      expect('it runs to its end', false, error.stack),
    );
  }
}

/** Changes a file of the place. Fails when the edit changes nothing. */
export async function edit(file: string, edit: (text: string) => string): Promise<void> {
  const text = await readFile(file, 'utf8');
  const edited = edit(text);
  if (edited === text) throw new Error(`Nothing to edit in ${file}:\n${text}`);
  await writeFile(file, edited);
}
