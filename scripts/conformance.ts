// npm run conformance: the official conformance suite against this build, with nothing expected to fail.
//
//   npm run conformance                        every set of requirements, then the scenarios for authorization servers
//   npm run conformance -- --scenario ping     what follows goes to the suite instead: one scenario
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, env, execPath, platform, stderr, stdout, versions } from 'node:process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../src/package-root.ts';
import { openOwnerBrowser } from './owner-browser.ts';

const SUITE = '@modelcontextprotocol/conformance@0.2.0-alpha.12';
const CLI = fileURLToPath(new URL('dist/cli.js', PACKAGE_ROOT));
const REQUIREMENTS = ['2025-11-25', '2026-07-28'];

type Served = { port: string; origin: string; link: string };

const work = await mkdtemp(join(tmpdir(), 'conformance-'));
try {
  const given = argv.slice(2);
  await served(['--port', '0', '--toolsets', 'default,conformance'], async ({ port }) => {
    const runs = given.length > 0 ? [given] : REQUIREMENTS.map((revision) => ['--requirements', revision]);
    // The suite asks for this name.
    const url = `http://localhost:${port}/mcp`;
    for (const run of runs) await suite(['server', '--url', url, '-o', join(work, 'results'), ...run]);
  });
  if (given.length === 0) await authorization();
} finally {
  await rm(work, { recursive: true, force: true });
}

/** The scenarios for authorization servers print where a person is to go: the owner goes there, and allows it. */
async function authorization(): Promise<void> {
  const [port, callback] = await Promise.all([freePort(), freePort()]);
  await served(['--port', port, '--auth'], async ({ origin, link }) => {
    const owner = await openOwnerBrowser(link);
    const client = {
      client_name: 'Conformance suite',
      redirect_uris: [`http://127.0.0.1:${callback}/callback`],
      token_endpoint_auth_method: 'none',
    };
    const headers = { 'content-type': 'application/json' };
    const registered = await fetch(`${origin}/oauth/register`, {
      method: 'POST',
      headers,
      body: JSON.stringify(client),
    });
    const { client_id } = (await registered.json()) as { client_id: string };
    const asked = ['--client-id', client_id, '--resource', `${origin}/mcp`, '--port', callback];
    await suite(['authorization', '--url', origin, ...asked, '-o', join(work, 'results')], async (line) => {
      if (line.startsWith(`${origin}/oauth/authorize?`)) await owner.allow(line);
    });
  });
}

/** Runs with a server on a database of its own. */
async function served(flags: string[], run: (server: Served) => Promise<void>): Promise<void> {
  // The directory itself holds the data: a database started by root runs as another user, who must reach it.
  const dataDir = await mkdtemp(join(tmpdir(), 'cairn-conformance-'));
  const server = spawn(execPath, [CLI, 'serve', ...flags, '--data-dir', dataDir, '--log-level', 'warn'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...env, NO_COLOR: '1' },
  });
  const exited = new Promise((resolve) => server.once('exit', resolve));
  try {
    await run(await listening(server, { auth: flags.includes('--auth') }));
  } finally {
    server.kill('SIGTERM');
    await exited;
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Reads what the server says of itself, the link of the first run included. */
async function listening(
  { stdout }: ChildProcessByStdio<null, Readable, null>,
  { auth }: { auth: boolean },
): Promise<Served> {
  let port = '';
  let link = '';
  for await (const line of createInterface({ input: stdout })) {
    port = /port (\d+)\. Stop/.exec(line)?.[1] ?? port;
    link = /http:\S+\/login\/owner\?code=\S+/.exec(line)?.[0] ?? link;
    if (port !== '' && (link !== '' || !auth)) return { port, link, origin: `http://127.0.0.1:${port}` };
  }
  throw new Error('The server did not start.');
}

/** Runs it as published; it needs Node 22, which npm brings where this is an older one. `heard` is given each line. */
async function suite(args: string[], heard?: (line: string) => Promise<void>): Promise<void> {
  const packages = [...(Number.parseInt(versions.node, 10) < 22 ? ['node@22'] : []), SUITE];
  const command = ['exec', '--yes', ...packages.map((name) => `--package=${name}`), '--', 'conformance', ...args];
  stderr.write(`conformance ${args.join(' ')}\n`);
  const npm = spawn('npm', command, { stdio: ['ignore', 'pipe', 'inherit'], shell: platform === 'win32', cwd: work });
  const exited = new Promise((resolve) => npm.once('exit', resolve));
  for await (const line of createInterface({ input: npm.stdout })) {
    stdout.write(`${line}\n`);
    await heard?.(line);
  }
  if ((await exited) !== 0) process.exitCode = 1;
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return String(address !== null && typeof address === 'object' && address.port);
}
