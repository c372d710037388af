import { within } from '../../src/deadline.ts';
import { spawnRaw } from './client.ts';

// Longer than any call may take, and than most tests may.
const ANSWER_MS_MAX = 100_000;

type RawAnswer = { text: string; data: Record<string, unknown>; isError: boolean };

/**
 * An agent over its own `cairn` process that may have many calls in flight, and may be killed in the middle of them.
 */
export type RawAgent = {
  pid: number;
  /** Rejects when the process ends before it answers. */
  call(name: string, args?: Record<string, unknown>): Promise<RawAnswer>;
  close(): Promise<void>;
  kill(): Promise<void>;
};

type Line = { id?: unknown; result?: { content: { text: string }[]; structuredContent?: object; isError?: boolean } };
type Waiting = { resolve(line: Line): void; reject(error: Error): void };

export async function startRaw(flags: string[], env: NodeJS.ProcessEnv = {}): Promise<RawAgent> {
  const raw = spawnRaw(flags, env);
  raw.process.stdin?.on('error', () => {});
  const waiting = new Map<number, Waiting>();
  let last = 0;
  let end: unknown;

  async function request(method: string, params: object): Promise<Line> {
    if (end !== undefined) throw end;
    last += 1;
    const id = last;
    const answer = new Promise<Line>((resolve, reject) => waiting.set(id, { resolve, reject }));
    raw.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    return within(ANSWER_MS_MAX, `an answer to ${method}`, answer);
  }

  async function read(): Promise<void> {
    for (;;) {
      const line = (await raw.next()) as Line;
      waiting.get(line.id as number)?.resolve(line);
      waiting.delete(line.id as number);
    }
  }
  read().catch((error) => {
    end = error;
    for (const { reject } of waiting.values()) reject(error);
  });

  const clientInfo = { name: 'raw', version: '1' };
  await request('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
  raw.send('{"jsonrpc":"2.0","method":"notifications/initialized"}');

  return {
    pid: raw.process.pid ?? 0,
    async call(name, args = {}) {
      const { result } = await request('tools/call', { name, arguments: args });
      const { content = [], structuredContent = {}, isError = false } = result ?? {};
      return { text: content.map(({ text }) => text).join(''), data: { ...structuredContent }, isError };
    },
    async close() {
      raw.process.stdin?.end();
      await raw.exited;
    },
    async kill() {
      raw.process.kill('SIGKILL');
      await raw.exited;
    },
  };
}
