// An agent as clients run it: an MCP client over stdio whose server process may be killed at any moment. It replaces
// the process, repeats the call with its idempotency key, and writes down what was acknowledged.
import { randomUUID } from 'node:crypto';
import { execPath } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type * as z from 'zod';
import { within } from '../../src/deadline.ts';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import type { Claim, CreatedTasks } from '../../src/services/tasks.ts';

const CLI = fileURLToPath(new URL('dist/cli.js', PACKAGE_ROOT));

// Past this a call would need a person.
const ANSWER_MS_MAX = 120_000;
// Past this another process is asked.
const ATTEMPT_MS_MAX = 60_000;
const CLOSE_MS_MAX = 10_000;
const RETRY_PAUSE_MS = 20;

/** The log entry of a command: its text, the number of events that have it, and whether the agent got an answer. */
export type Entry = {
  marker: string;
  tool: string;
  count: number;
  acknowledged: boolean;
  held?: { ref: string; lock_token: number };
};
type Tally = { commands: number; reads: number; retries: number; processes: number; slowestMs: number };
type Connection = { client: Client; transport: StdioClientTransport; gone: Promise<never> };
type Agent = {
  answered: Promise<void>;
  process(): number | null;
  waitsFor(): string[];
  work(): Promise<void>;
  leave(): Promise<void>;
  entries: Entry[];
  tally: Tally;
};

export function startAgent({ dataDir, name, isOver }: { dataDir: string; name: string; isOver: () => boolean }): Agent {
  const entries: Entry[] = [];
  const tally = { commands: 0, reads: 0, retries: 0, processes: 0, slowestMs: 0 };
  let connection: Connection | null = null;
  let waiting: { tool: string; since: number } | null = null;
  let answer: () => void = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });

  async function connect() {
    const args = [
      CLI,
      '--data-dir',
      dataDir,
      '--project',
      'web',
      '--agent',
      name,
      '--toolsets',
      'all',
      '--output',
      'both',
      '--log-level',
      'fatal',
    ];
    const transport = new StdioClientTransport({ command: execPath, args, stderr: 'inherit' });
    const client = new Client({ name: 'torture', version: '1.0.0' }, { versionNegotiation: { mode: 'legacy' } });
    connection = { client, transport, gone: end(client) };
    tally.processes += 1;
    await Promise.race([connection.gone, client.connect(transport)]);
    return connection;
  }

  async function disconnect() {
    const closed = connection?.client.close() ?? Promise.resolve();
    connection = null;
    await within(CLOSE_MS_MAX, `a process of ${name} to end`, closed);
  }

  async function attempt(tool: string, input: Record<string, unknown>) {
    const { client, gone } = connection ?? (await connect());
    return Promise.race([gone, client.callTool({ name: tool, arguments: input })]);
  }

  /** Until it is answered: by another process if this one is gone. */
  async function call<Answer>(tool: string, input: Record<string, unknown>): Promise<Answer> {
    const started = performance.now();
    waiting = { tool, since: started };
    for (;;) {
      let reason: unknown;
      try {
        const answer = await within(ATTEMPT_MS_MAX, `an answer to ${tool}`, attempt(tool, input));
        const { content, structuredContent, isError } = answer;
        if (isError !== true) {
          waiting = null;
          tally.slowestMs = Math.max(tally.slowestMs, performance.now() - started);
          return structuredContent as Answer;
        }
        const [block] = content;
        reason = block?.type === 'text' ? block.text : '';
        if (!String(reason).startsWith('unavailable: ')) throw new Error(`${name}, ${tool}: ${reason}`);
      } catch (error) {
        // A process that was killed; anything else is a failure of its own.
        if (error instanceof Error && error.message.startsWith(`${name}, `)) throw error;
        reason = error;
        await disconnect().catch(() => {});
      }
      if (performance.now() - started > ANSWER_MS_MAX)
        throw new Error(`${name}: no answer to ${tool} in time: ${reason}`);
      tally.retries += 1;
      await pause(RETRY_PAUSE_MS);
    }
  }

  async function command<Answer>(
    tool: string,
    count: number,
    inputOf: (marker: string) => Record<string, unknown>,
  ): Promise<{ entry: Entry; answer: Answer }> {
    const marker = `${tool} ${randomUUID()}`;
    const entry: Entry = { marker, tool, count, acknowledged: false };
    entries.push(entry);
    const answer = await call<Answer>(tool, { ...inputOf(marker), idempotency_key: marker });
    entry.acknowledged = true;
    tally.commands += 1;
    return { entry, answer };
  }

  async function read(tool: string, input: Record<string, unknown> = {}) {
    await call(tool, input);
    tally.reads += 1;
  }

  async function turn() {
    const { answer } = await command<z.infer<typeof CreatedTasks>>('create_tasks', 2, (marker) => ({
      tasks: [{ title: marker }, { title: marker, priority: 'high' }],
    }));
    await read('get_task', { task: answer.tasks[0]?.ref });
    await command('record_event', 1, (text) => ({ text }));
    const claimed = await command<z.infer<typeof Claim>>('claim_task', 1, () => ({}));
    const { task } = claimed.answer;
    if (task === undefined) {
      // There was nothing ready, so nothing was recorded.
      claimed.entry.count = 0;
      return;
    }
    claimed.entry.held = { ref: task.ref, lock_token: task.lock_token };
    await read('list_tasks');
    await command('complete_task', 1, (summary) => ({ task: task.ref, lock_token: task.lock_token, summary }));
    await read('resume_project');
    await command('save_checkpoint', 1, (label) => ({ label, summary: 'So far.' }));
    await read('search', { query: 'create' });
  }

  return {
    answered,
    entries,
    tally,
    process: () => connection?.transport.pid ?? null,
    waitsFor() {
      if (waiting === null) return [];
      const seconds = Math.round((performance.now() - waiting.since) / 1_000);
      return [`${name}: ${waiting.tool}, for ${seconds} s`];
    },
    async work() {
      // All of them ask for it, with one key: one makes it.
      await call('create_project', { slug: 'web', name: 'Web', idempotency_key: 'web' });
      answer();
      while (!isOver()) await turn();
    },
    leave: disconnect,
  };
}

/**
 * Rejects when the process ends. The client alone does not tell: a message that it sends to a process which was just
 * killed may wait for ever for room in a pipe that is gone.
 */
function end(client: Client): Promise<never> {
  const gone = new Promise<never>((_, reject) => {
    client.onclose = () => reject(new Error('The process ended.'));
  });
  gone.catch(() => {});
  return gone;
}
