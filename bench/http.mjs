// npm run bench:http: tool calls over HTTP beside the bare SDK's, in the same run.
//
//   npm run bench:http                     5 seconds of load each, 1,000 streams
//   npm run bench:http -- --seconds 2 --calls 200 --streams 100
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath, stdout } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { freePort } from './free-port.mjs';
import { CLI } from './rpc.mjs';
import { summary } from './sample.mjs';
import { seedTokens } from './tokens.mjs';

const FLOOR = fileURLToPath(new URL('http-floor.mjs', import.meta.url));
const CONNECTIONS = 32;
const TOKENS = 10_000;
const CLIENTS = 1_000;
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
};

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    calls: { type: 'string', default: '1000' },
    streams: { type: 'string', default: '1000' },
  },
});
const seconds = Number(flags.seconds);
const calls = Number(flags.calls);

const dataDir = await mkdtemp(join(tmpdir(), 'cairn-bench-'));
const floor = await start([FLOOR]);
const cairn = await start([CLI, 'serve', '--port', '0', '--data-dir', dataDir, '--log-level', 'info']);
const authorized = await startAuthorized();
try {
  await call(cairn, 'create_project', { args: { slug: 'web', name: 'Web' } });
  await call(cairn, 'create_tasks', { args: { project: 'web', tasks: [{ title: 'Write the docs' }] } });
  const kinds = [
    { name: 'bare SDK, echo', server: floor, tool: 'echo', args: { text: 'hello' } },
    { name: 'cairn, get_task', server: cairn, tool: 'get_task', args: { task: 'web-1' } },
    { name: 'cairn, get_task with a token', server: authorized, tool: 'get_task', args: { task: 'web-1' } },
    { name: 'cairn, record_event', server: cairn, tool: 'record_event', args: { project: 'web', text: 'Done.' } },
  ];
  for (const kind of kinds) await load(kind, { connections: CONNECTIONS, ms: 1_000 });
  const agents = new Map(kinds.map(({ name }) => [name, new Agent({ keepAlive: true, maxSockets: 1 })]));
  const taken = new Map(kinds.map(({ name }) => [name, /** @type {number[]} */ ([])]));
  // In turns, so that whatever else the machine does slows all of them alike.
  for (let at = 0; at < calls; at++) {
    for (const { name, server, tool, args } of kinds) {
      const started = performance.now();
      await call(server, tool, { args, agent: agents.get(name) });
      taken.get(name)?.push(performance.now() - started);
    }
  }
  say('| call | p50 ms | p99 ms | requests/s at 32 connections |', '| --- | --- | --- | --- |');
  for (const kind of kinds) {
    const { p50, p99 } = summary(taken.get(kind.name) ?? []);
    const rate = await load(kind, { connections: CONNECTIONS, ms: seconds * 1_000 });
    say(`| ${kind.name} | ${p50.toFixed(2)} | ${p99.toFixed(2)} | ${Math.round(rate)} |`);
  }
  sayShare(taken);
  for (const agent of agents.values()) agent.destroy();
  await holdStreams(Number(flags.streams));
} finally {
  for (const server of [floor, cairn, authorized]) await server.stop();
  await rm(dataDir, { recursive: true, force: true });
}

/** A server with authorization over the same data, a token for it, and many others beside that one. */
async function startAuthorized() {
  const port = await freePort();
  const own = ['--data-dir', dataDir];
  const env = { ...process.env, CAIRN_PUBLIC_URL: `http://127.0.0.1:${port}` };
  const scope = 'projects:write,tasks:write';
  const pat = [CLI, 'auth', 'pat', 'create', '--name', 'bench', '--scope', scope, '--json', ...own];
  const { stdout: created } = await promisify(execFile)(execPath, pat, { env });
  await seedTokens(dataDir, { tokens: TOKENS, clients: CLIENTS, resource: `http://127.0.0.1:${port}/mcp` });
  const server = await start([CLI, 'serve', '--auth', '--port', String(port), ...own, '--log-level', 'info']);
  return { ...server, token: JSON.parse(created).token };
}

/** What of a call the token costs. @param {Map<string, number[]>} taken */
function sayShare(taken) {
  const [without, withToken] = ['cairn, get_task', 'cairn, get_task with a token'].map(
    (name) => summary(taken.get(name) ?? []).p50,
  );
  const share = (1 - without / withToken) * 100;
  say('', `The token check, among ${TOKENS} tokens and ${CLIENTS} clients, is ${share.toFixed(0)} % of a call at p50.`);
}

/** Opens streams, finds out whether all of them hear of a change, and what a call takes meanwhile. @param {number} count */
async function holdStreams(count) {
  const before = await residentMegabytes();
  const uri = 'cairn://projects/web/tasks/web-1';
  const agent = new Agent({ keepAlive: true });
  const streams = await Promise.all(Array.from({ length: count }, () => listen(uri, agent)));
  const after = await residentMegabytes();
  const idle = new Agent({ keepAlive: true, maxSockets: 1 });
  const taken = [];
  for (let at = 0; at < 200; at++) {
    const started = performance.now();
    await call(cairn, 'get_task', { args: { task: 'web-1' }, agent: idle });
    taken.push(performance.now() - started);
  }
  const started = performance.now();
  await call(cairn, 'record_event', { args: { task: 'web-1', text: 'Heard?' } });
  await Promise.all(streams.map(({ heard }) => heard));
  const ms = performance.now() - started;
  const { p50, p99 } = summary(taken);
  say(
    '',
    `${count} open streams: all heard of a change within ${Math.round(ms)} ms; get_task meanwhile p50 ${p50.toFixed(2)}, p99 ${p99.toFixed(2)} ms;`,
  );
  say(`memory ${Math.round(before)} MB before, ${Math.round(after)} MB with them.`);
  for (const { leave } of streams) leave();
  agent.destroy();
  idle.destroy();
}

/** @param {string} uri @param {Agent} agent @returns {Promise<{ heard: Promise<void>, leave: () => void }>} */
function listen(uri, agent) {
  const params = { notifications: { resourceSubscriptions: [uri] }, _meta: META };
  return new Promise((resolve, reject) => {
    const sent = send(cairn, { method: 'subscriptions/listen', params, agent }, (response) => {
      if (response.statusCode !== 200) return reject(new Error(`a stream was answered ${response.statusCode}`));
      let text = '';
      const heard = new Promise((done) => {
        response.on('data', (chunk) => {
          text += chunk;
          if (text.includes('acknowledged')) resolve({ heard, leave: () => sent.destroy() });
          if (text.includes('resources/updated')) done(undefined);
        });
      });
      response.on('error', () => {});
    });
    sent.on('error', reject);
  });
}

/** Calls without a pause. @returns {Promise<number>} calls a second */
async function load({ server, tool, args }, { connections, ms }) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const end = performance.now() + ms;
  let count = 0;
  const started = performance.now();
  async function work() {
    while (performance.now() < end) {
      await call(server, tool, { args, agent });
      count += 1;
    }
  }
  await Promise.all(Array.from({ length: connections }, work));
  agent.destroy();
  return (count / (performance.now() - started)) * 1_000;
}

/** Calls a tool; a refusal is an error, for the numbers would mean nothing. */
function call(server, name, { args, agent }) {
  return new Promise((resolve, reject) => {
    const sent = send(
      server,
      { method: 'tools/call', name, params: { name, arguments: args, _meta: META }, agent },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => {
          if (response.statusCode === 200 && !text.includes('"isError":true')) resolve(text);
          else reject(new Error(`${name}: ${response.statusCode} ${text}`));
        });
      },
    );
    sent.on('error', reject);
  });
}

function send({ port, token }, { method, name, params, agent }, answered) {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(name && { 'mcp-name': name }),
    ...(token && { authorization: `Bearer ${token}` }),
  };
  const sent = request({ port, host: '127.0.0.1', path: '/mcp', method: 'POST', headers, agent }, answered);
  sent.end(body);
  return sent;
}

async function residentMegabytes() {
  const text = await (await fetch(`http://127.0.0.1:${cairn.port}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\d+)/m.exec(text)?.[1]) / 1_024 ** 2;
}

/** A server process, once it has said where it listens. @param {string[]} command */
async function start(command) {
  const child = spawn(execPath, command, { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /port (\d+)\. Stop/.exec(line)?.[1];
    if (port === undefined) continue;
    return {
      port: Number(port),
      stop() {
        child.kill('SIGTERM');
        return exited;
      },
    };
  }
  throw new Error(`${command[0]} did not start.`);
}

/** @param {string[]} lines */
function say(...lines) {
  stdout.write(`${lines.join('\n')}\n`);
}
