// npm run conformance: the official conformance suite against this checkout, with nothing expected to fail.
//
//   npm run conformance                        every set of requirements, then the scenarios for authorization servers
//   npm run conformance -- --scenario ping     what follows goes to the suite instead: one scenario
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, env, execPath, platform, stderr, stdout, versions } from 'node:process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import { freePort } from '../support/free-port.ts';
import { openOwnerBrowser } from '../support/owner-browser.ts';
import { startServer } from './server.ts';

const SUITE = '@modelcontextprotocol/conformance@0.2.0-alpha.12';
const CLI = fileURLToPath(new URL('dist/cli.js', PACKAGE_ROOT));
const REQUIREMENTS = ['2025-11-25', '2026-07-28'];

const work = await mkdtemp(join(tmpdir(), 'conformance-'));
try {
  const given = argv.slice(2);
  await protocol(given.length > 0 ? [given] : REQUIREMENTS.map((revision) => ['--requirements', revision]));
  if (given.length === 0) await authorization();
} finally {
  await rm(work, { recursive: true, force: true });
}

/** The scenarios for servers of the protocol, beside the real tools. */
async function protocol(runs: string[][]): Promise<void> {
  await withDataDir(async (dataDir) => {
    const server = await startServer(dataDir);
    try {
      // The suite asks for this name.
      const url = `http://localhost:${server.port}/mcp`;
      for (const run of runs) await suite(['server', '--url', url, '-o', join(work, 'results'), ...run]);
    } finally {
      await server.close();
    }
  });
}

/** The scenarios for authorization servers print where a person is to go: the owner goes there, and allows it. */
async function authorization(): Promise<void> {
  const [port, callback] = await Promise.all([freePort(), freePort()]);
  const origin = `http://127.0.0.1:${port}`;
  await served(['--port', String(port), '--auth'], async (link) => {
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
    const asked = ['--client-id', client_id, '--resource', `${origin}/mcp`, '--port', String(callback)];
    await suite(['authorization', '--url', origin, ...asked, '-o', join(work, 'results')], async (line) => {
      if (line.startsWith(`${origin}/oauth/authorize?`)) await owner.allow(line);
    });
  });
}

/** Runs with `cairn serve` on a database of its own, and the link of its first run. */
async function served(flags: string[], run: (link: string) => Promise<void>): Promise<void> {
  await withDataDir(async (dataDir) => {
    const server = spawn(execPath, [CLI, 'serve', ...flags, '--data-dir', dataDir, '--log-level', 'warn'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...env, NO_COLOR: '1' },
    });
    const exited = new Promise((resolve) => server.once('exit', resolve));
    try {
      await run(await firstLink(server.stdout));
    } finally {
      server.kill('SIGTERM');
      await exited;
    }
  });
}

/** Reads what the server says of itself: it serves when it shows the link. */
async function firstLink(output: Readable): Promise<string> {
  for await (const line of createInterface({ input: output })) {
    const [link] = /http:\S+\/login\/owner\?code=\S+/.exec(line) ?? [];
    if (link !== undefined) return link;
  }
  throw new Error('The server did not start.');
}

async function withDataDir(run: (dataDir: string) => Promise<void>): Promise<void> {
  // The directory itself holds the data: a database started by root runs as another user, who must reach it.
  const dataDir = await mkdtemp(join(tmpdir(), 'cairn-conformance-'));
  try {
    await run(dataDir);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
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
