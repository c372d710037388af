// npm run conformance: the official conformance suite against this build, with nothing expected to fail.
//
//   npm run conformance                        every set of requirements
//   npm run conformance -- --scenario ping     what follows goes to the suite instead: one scenario
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, execPath, platform, stderr, versions } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SUITE = '@modelcontextprotocol/conformance@0.2.0-alpha.12';
const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const REQUIREMENTS = ['2025-11-25', '2026-07-28'];

// The directory itself holds the data: a database started by root runs as another user, who must reach it.
const dataDir = await mkdtemp(join(tmpdir(), 'cairn-conformance-'));
const work = await mkdtemp(join(tmpdir(), 'conformance-'));
const server = spawn(
  execPath,
  [CLI, 'serve', '--port', '0', '--data-dir', dataDir, '--toolsets', 'default,conformance', '--log-level', 'warn'],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const exited = new Promise((resolve) => server.once('exit', resolve));
try {
  const url = await listening();
  const given = argv.slice(2);
  const runs = given.length > 0 ? [given] : REQUIREMENTS.map((revision) => ['--requirements', revision]);
  for (const run of runs) {
    const code = await suite(['server', '--url', url, '-o', join(work, 'results'), ...run]);
    if (code !== 0) process.exitCode = 1;
  }
} finally {
  server.kill('SIGTERM');
  await exited;
  for (const directory of [dataDir, work]) await rm(directory, { recursive: true, force: true });
}

/** The URL that the server goes by. @returns {Promise<string>} */
async function listening() {
  for await (const line of createInterface({ input: server.stdout })) {
    const port = /port (\d+)\. Stop/.exec(line)?.[1];
    // The suite asks for this name.
    if (port !== undefined) return `http://localhost:${port}/mcp`;
  }
  throw new Error('The server did not start.');
}

/** Runs it as published; it needs Node 22, which npm brings where this is an older one. @param {string[]} args */
async function suite(args) {
  const packages = [...(Number.parseInt(versions.node, 10) < 22 ? ['node@22'] : []), SUITE];
  const command = ['exec', '--yes', ...packages.map((name) => `--package=${name}`), '--', 'conformance', ...args];
  stderr.write(`conformance ${args.join(' ')}\n`);
  const npm = spawn('npm', command, { stdio: 'inherit', shell: platform === 'win32', cwd: work });
  return new Promise((resolve) => npm.once('exit', resolve));
}
