import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { takeExport } from '../../src/telemetry/export-request.ts';
import type { Reported } from '../../src/telemetry/otlp.ts';
import { type AuthServing, startAuthServing } from '../support/auth-serving.ts';
import { cairn } from '../support/cairn.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { type Recorded, recorded } from '../support/reports.ts';
import { RunnerProcess } from '../support/runner-process.ts';

// `cairn agent run` makes agents report, here and over a server, and people read what they did.

const REPORTER = fileURLToPath(new URL('../runner/stand-ins/reporter.mjs', import.meta.url));
/** Words of prompts, arguments and outputs of the recorded sessions. */
const SAID = ['MAINPROMPT', 'Shell command failed', 'exited with code', '/home/ada/shop/nothing.md'];
const REQUESTS: Record<Recorded, number> = { claude: 7, codex: 11, gemini: 13 };

let world: LocalWorld;
let serving: AuthServing;
let elsewhere: LocalWorld;
let runner: RunnerProcess | undefined;
/** An endpoint of OTLP to which the server sends steps on. */
let collector: Server;
const sentOn: Reported[] = [];

beforeAll(async () => {
  [world, elsewhere] = await Promise.all([openLocalWorld(), openLocalWorld()]);
  collector = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    const { reported } = await takeExport({ signal: 'traces', type: request.headers['content-type'], body });
    if (request.headers['x-key'] === 'k') sentOn.push(...reported);
    response.end();
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const { port } = collector.address() as AddressInfo;
  serving = await startAuthServing({
    dataDir: world.dataDir,
    env: { CAIRN_OTLP_EXPORT_URL: `http://127.0.0.1:${port}`, CAIRN_OTLP_EXPORT_HEADERS: 'x-key=k' },
  });
}, 120_000);

afterEach(async () => {
  await runner?.end('SIGTERM');
  runner = undefined;
});

afterAll(async () => {
  await serving?.stop();
  collector?.close();
  await world?.close();
  await elsewhere?.close();
});

const run = (...args: string[]) =>
  cairn(['--data-dir', world.dataDir, ...args], { env: { CAIRN_AGENT: '', CAIRN_TOKEN: '', NO_COLOR: '1' } });

async function data<Data>(...args: string[]): Promise<Data> {
  const { code, stdout, stderr } = await run(...args, '--json');
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Data;
}

type Trace = { status: string; usage: { requests: number }[]; steps: { status: string; content?: object }[] };

describe('an agent that a runner of another machine drives', { timeout: 120_000 }, () => {
  test.for(Object.keys(REQUESTS) as Recorded[])('reports what it did: %s', async (agent) => {
    const file = join(elsewhere.dataDir, `${agent}.json`);
    await writeFile(file, JSON.stringify(recorded(agent)));
    const { token } = await data<{ token: string }>('auth', 'pat', 'create', '--name', agent, '--agent', agent);
    const flags = ['--url', serving.origin, '--name', agent, '--type', agent, '--driver', 'pipe'];
    const words = ['--', execPath, REPORTER, file];
    runner = new RunnerProcess([...flags, ...words], { dataDir: elsewhere.dataDir, token });
    await runner.says('waits for commands');

    await data('send', 'Build the cart.', '--to', agent);

    const read = () => data<Trace>('trace', agent).catch(() => undefined);
    const trace = await vi.waitUntil(
      async () => {
        const found = await read();
        const isWhole = found?.status === 'completed' && found.usage[0]?.requests === REQUESTS[agent];
        return isWhole ? found : undefined;
      },
      { timeout: 40_000, interval: 500 },
    );
    // No project says that it is kept.
    expect(trace.steps.filter(({ content }) => content !== undefined)).toEqual([]);
    for (const word of SAID) expect(JSON.stringify(trace)).not.toContain(word);
  });

  test('is shown as a tree, with what it cost, and prices can be changed', async () => {
    const { stdout: tree } = await run('trace', 'claude');
    expect(tree).toMatch(/^claude {2}completed/);
    expect(tree).toMatch(/turn +4\.7 s/);
    expect(tree).toMatch(/│ Agent Explore/);
    expect(tree).toMatch(/│ │ Bash/);
    expect(tree).toMatch(/7 requests, 224784 tokens in \(210028 from a cache\), 308 out, \$0\.1224 at list prices/);

    expect((await run('costs')).stdout).toMatch(/claude +\$0\.1224 +1 +7 +224784 +210028 +308/);
    expect((await run('costs')).stdout).toContain('tokens of models without a price');
    expect((await run('prices', 'stand-in', '1', '2')).stdout).toContain('stand-in costs $1');
    expect((await run('prices')).stdout).toMatch(/stand-in +\$1 +\$2 +\$1/);
    expect((await run('prices', 'stand-in', '--remove')).stdout).toContain('no price any more');
    expect((await run('prices', 'stand-in', '1')).code).toBe(2);
  });
});

test('a program that nobody drives reports to the server, with a token of its own', { timeout: 60_000 }, async () => {
  const made = await run('auth', 'pat', 'create', '--name', 'laptop', '--scope', 'otel:write', '--json');
  const { token } = JSON.parse(made.stdout) as { token: string };
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };

  for (const { signal, body } of recorded('gemini')) {
    const answer = await fetch(`${serving.origin}/v1/${signal}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(200);
  }

  const { stdout } = await run('trace', 'gemini-cli');
  expect(stdout).toMatch(/^gemini-cli {2}running/);
  expect(stdout).toMatch(/13 requests, 391482 tokens in/);
  expect((await run('agents')).stdout).toContain('only reports: nothing reaches it');
});

test('what is stored is sent on, whoever reported it, and what was said is not', { timeout: 60_000 }, async () => {
  const requests = () => sentOn.filter(({ attributes }) => attributes['gen_ai.operation.name'] === 'chat');
  const by = (agent: string) => requests().filter(({ attributes }) => attributes['gen_ai.agent.name'] === agent).length;

  const all = { claude: 7, codex: 11, gemini: 13, 'gemini-cli': 13 };
  await vi.waitUntil(() => Object.entries(all).every(([agent, count]) => by(agent) >= count), { timeout: 40_000 });

  expect(Object.keys(all).map((agent) => [agent, by(agent)])).toEqual(Object.entries(all));
  for (const word of SAID) expect(JSON.stringify(sentOn)).not.toContain(word);
});
