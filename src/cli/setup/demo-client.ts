import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ownEnvironment } from '../../config.ts';
import { AGAIN, within } from '../../deadline.ts';
import { DomainError } from '../../errors.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';

export const CLI = fileURLToPath(new URL('dist/cli.js', PACKAGE_ROOT));
const PROTOCOL = '2025-06-18';
// The first call creates the database.
const CALL_MS_MAX = 120_000;
const LEAVE_MS_MAX = 15_000;

type Result = { content?: { text?: string }[]; structuredContent?: Record<string, unknown>; isError?: boolean };
type Reply = { id?: number; result?: Result; error?: { message: string } };
export type DemoAnswer = { text: string; data: Record<string, unknown>; isError: boolean };

/** An agent with its own `cairn` process, called as any MCP client would. */
export type DemoAgent = {
  name: string;
  call(tool: string, args: Record<string, unknown>): Promise<DemoAnswer>;
  leave(): Promise<void>;
};

export async function connectAgent(name: string, dataDir: string): Promise<DemoAgent> {
  const flags = [
    '--agent',
    name,
    '--data-dir',
    dataDir,
    '--linger-seconds',
    '0',
    '--output',
    'both',
    '--log-level',
    'error',
  ];
  const child = spawn(process.execPath, [CLI, ...flags], {
    env: ownEnvironment(),
    stdio: ['pipe', 'pipe', 'inherit'],
    windowsHide: true,
  });
  const request = requester(child, name);
  const clientInfo = { name: 'cairn-demo', version: '1' };
  await request('initialize', { protocolVersion: PROTOCOL, capabilities: {}, clientInfo });
  child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`);
  return {
    name,
    async call(tool, args) {
      const { content, structuredContent, isError } = await request('tools/call', { name: tool, arguments: args });
      return { text: content?.[0]?.text ?? '', data: structuredContent ?? {}, isError: isError === true };
    },
    async leave() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.stdin?.end();
      const left = within(LEAVE_MS_MAX, `the server of ${name} to end`, exited);
      await left.catch(() => {
        child.kill('SIGKILL');
        return exited;
      });
    },
  };
}

function requester(child: ChildProcess, name: string): (method: string, params: object) => Promise<Result> {
  type Waiting = { resolve: (result: Result) => void; reject: (error: Error) => void };
  const waiting = new Map<number, Waiting>();
  const fail = () => {
    for (const { reject } of waiting.values()) reject(ended(name));
  };
  child.once('error', fail).once('exit', fail);
  child.stdin?.on('error', fail);
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    const { id = 0, result, error }: Reply = JSON.parse(line);
    if (result !== undefined) waiting.get(id)?.resolve(result);
    else waiting.get(id)?.reject(new Error(error?.message));
    waiting.delete(id);
  });
  let last = 0;
  return (method, params) => {
    const id = ++last;
    const answer = new Promise<Result>((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      // A dead process says nothing more, and neither does its pipe.
      const written = (error?: Error | null) => error && reject(ended(name));
      child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`, written);
    });
    return within(CALL_MS_MAX, `the server of ${name} to answer ${method}`, answer);
  };
}

function ended(name: string): DomainError {
  return new DomainError('unavailable', `The server of ${name} ended.`, { hint: AGAIN });
}
