// A client of JSON-RPC over stdio without the SDK, so that what is measured is the server.
import { spawn } from 'node:child_process';
import { execPath } from 'node:process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../src/package-root.ts';

export const CLI = fileURLToPath(new URL('dist/cli.js', PACKAGE_ROOT));
export const ECHO = fileURLToPath(new URL('echo-server.js', import.meta.url));

const PROTOCOL = '2025-11-25';
const NEWLINE = 10;

export type Server = {
  pid: number;
  /** Calls a tool; a refusal is an error, for the numbers would mean nothing. */
  call<Answer>(name: string, args: object): Promise<Answer>;
  stop(): Promise<void>;
};

type Waiting = { resolve: (result: unknown) => void; reject: (error: Error) => void };
type Message = { id: number; result?: unknown; error?: { message: string } };
type Called = { isError?: boolean; content: { text: string }[]; structuredContent: unknown };

/** Starts a server process and shakes hands. */
export async function start(script: string, flags: string[] = []): Promise<Server> {
  const child = spawn(execPath, [script, ...flags], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = new Map<number, Waiting>();
  let last = 0;

  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${script} exited with ${code}.`));
  });
  child.stdin.on('error', () => {});
  onLines(child.stdout, (line) => {
    const { id, result, error } = JSON.parse(line) as Message;
    const call = waiting.get(id);
    waiting.delete(id);
    if (error !== undefined) call?.reject(new Error(error.message));
    else call?.resolve(result);
  });

  function request(method: string, params: object): Promise<unknown> {
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
    async call<Answer>(name: string, args: object): Promise<Answer> {
      const result = (await request('tools/call', { name, arguments: args })) as Called;
      if (result.isError) throw new Error(`${name}: ${result.content[0]?.text}`);
      return result.structuredContent as Answer;
    },
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}

/** A `cairn` process of its own; the database stops with the last of them. */
export function startCairn(dataDir: string, agent = 'bench'): Promise<Server> {
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
    '--linger-seconds',
    '0',
  ]);
}

function onLines(stream: Readable, each: (line: string) => void): void {
  let parts: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      each(Buffer.concat([...parts, chunk.subarray(from, at)]).toString());
      parts = [];
      from = at + 1;
    }
    if (from < chunk.length) parts.push(chunk.subarray(from));
  });
}
