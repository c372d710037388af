// npm run bench:peers: the same work for Cairn and for what people use today, side by side; writes docs/performance.md.
//
//   npm run bench:peers                         every server; 10, 1,000 and 10,000 tasks
//   npm run bench:peers -- --only cairn,dex     some of them
//   npm run bench:peers -- --quick              a smoke test with 10 and 100 tasks; writes nothing
//   npm run bench:peers -- --cache DIR          where the peers are installed; otherwise below the system's temporary
// directory
//   npm run bench:peers -- --sizes 10,500 --no-write
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { writeSection } from '../section.ts';
import { measureClaims, measureCreates, measureUpdates } from './contention.ts';
import { install } from './install.ts';
import { type Failed, measureCalls, measureStart } from './measure.ts';
import { type About, renderPeers } from './report.ts';
import type { Server } from './servers/server.ts';
import { SERVERS } from './servers/servers.ts';
import { type Store, withStore } from './store.ts';

const CONTENDED = 200;
// This build is used in place: nothing has to be installed.
const HERE = Object.freeze({ folder: '', version: undefined, runtime: undefined });

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    sizes: { type: 'string' },
    cache: { type: 'string' },
    quick: { type: 'boolean', default: false },
    'no-write': { type: 'boolean', default: false },
  },
});
const sizes = (flags.sizes ?? (flags.quick ? '10,100' : '10,1000,10000')).split(',').map(Number);
const only = flags.only?.split(',');
const cache = flags.cache ?? join(tmpdir(), 'cairn-bench-peers');
mkdirSync(cache, { recursive: true });

const found: About[] = [];
for (const server of SERVERS.filter(
  ({ name, package: id = name }) => only?.some((word) => id.toLowerCase().includes(word)) ?? true,
)) {
  found.push(await measure(server));
}
const command = ['npm run bench:peers', ...(argv.length > 2 ? ['--', ...argv.slice(2)] : [])].join(' ');
const report = renderPeers({ command, sizes, servers: found });
stdout.write(`${report}\n`);
if (!flags.quick && !flags['no-write'] && only === undefined)
  stderr.write(`wrote ${await writeSection('peers', report)}\n`);

/** Everything about one server; what fails is in the table with its error. */
async function measure(server: Server): Promise<About> {
  const about: About = { name: server.name, stages: new Map() };
  try {
    const { package: name, runtime: needed } = server;
    const { folder, version, runtime } = name === undefined ? HERE : install(cache, name, needed);
    const at = <Result>(count: number, run: (store: Store) => Promise<Result>) =>
      withStore({ server, folder, runtime, count }, run);
    Object.assign(about, { version }, await attempt('start', () => at(10, measureStart)));
    for (const size of sizes) {
      about.stages.set(size, await attempt(`${size} tasks`, () => at(size, measureCalls)));
    }
    about.creates = await attempt('creates', () => at(1, measureCreates));
    about.updates = await attempt('updates', () => at(CONTENDED, measureUpdates));
    about.claims = await attempt('claims', () => at(CONTENDED, measureClaims));
  } catch (error) {
    about.error = messageOf(error);
  }
  return about;

  async function attempt<Result>(what: string, run: () => Promise<Result>): Promise<Result | Failed> {
    try {
      const result = await run();
      stderr.write(`${server.name}: ${what}\n`);
      return result;
    } catch (error) {
      stderr.write(`${server.name}: ${what} failed: ${messageOf(error)}\n`);
      return { error: messageOf(error) };
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
