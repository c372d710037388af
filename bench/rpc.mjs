// A client of JSON-RPC over stdio without the SDK, so that what is measured is the server.
import { spawn } from 'node:child_process';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';

export const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
export const ECHO = fileURLToPath(new URL('echo-server.mjs', import.meta.url));

const PROTOCOL = '2025-11-25';
const NEWLINE = 10;

/** @typedef {Awaited<ReturnType<typeof start>>} Server */

/**
 * Starts a server process and shakes hands.
 * @param {string} script
 * @param {string[]} [flags]
 */
export async function start(script, flags = []) {
  const child = spawn(execPath, [script, ...flags], { stdio: ['pipe', 'pipe', 'inherit'] });
  /** @type {Map<number, { resolve: (result: any) => void, reject: (error: Error) => void }>} */
  const waiting = new Map();
  let last = 0;

  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${script} exited with ${code}.`));
  });
  child.stdin.on('error', () => {});
  onLines(child.stdout, (line) => {
    const { id, result, error } = JSON.parse(line);
    const call = waiting.get(id);
    waiting.delete(id);
    if (error !== undefined) call?.reject(new Error(error.message));
    else call?.resolve(result);
  });

  /** @param {string} method @param {object} params */
  function request(method, params) {
    const id = ++last;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    });
  }

  await request('initialize', {
    protocolVersion: PROTOCOL,
    capabilities: {},
    clientInfo: { name: 'bench', version: '1.0.0' },
  });
  child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`);

  return {
    pid: child.pid ?? 0,
    /** Calls a tool; a refusal is an error, for the numbers would mean nothing. @param {string} name @param {object} args */
    async call(name, args) {
      const result = await request('tools/call', { name, arguments: args });
      if (result.isError) throw new Error(`${name}: ${result.content[0].text}`);
      return result.structuredContent;
    },
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}

/** A `cairn` process of its own. @param {string} dataDir @param {string} [agent] */
export function startCairn(dataDir, agent = 'bench') {
  return start(CLI, [
    '--data-dir',
    dataDir,
    '--toolsets',
    'all',
    '--output',
    'both',
    '--log-level',
    'error',
    '--agent',
    agent,
  ]);
}

/** @param {import('node:stream').Readable} stream @param {(line: string) => void} each */
function onLines(stream, each) {
  /** @type {Buffer[]} */
  let parts = [];
  stream.on('data', (/** @type {Buffer} */ chunk) => {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      each(Buffer.concat([...parts, chunk.subarray(from, at)]).toString());
      parts = [];
      from = at + 1;
    }
    if (from < chunk.length) parts.push(chunk.subarray(from));
  });
}
