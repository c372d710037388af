import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OlderClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OlderTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as OlderHttpTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { within } from '../../src/deadline.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
// A client waits for ever to send to a process that was just killed.
const WAIT_MS_MAX = 60_000;

type Answer = { text: string; data: Record<string, unknown>; isError: boolean };

/** A client of one kind, connected to `cairn`. */
export type Agent = {
  call(name: string, args?: Record<string, unknown>): Promise<Answer>;
  listTools(): Promise<{ name: string }[]>;
  readResource(uri: string): Promise<string>;
  listResources(): Promise<string[]>;
  listTemplates(): Promise<string[]>;
  getPrompt(name: string, args: Record<string, string>): Promise<string>;
  complete(ref: CompletionRef, argument: { name: string; value: string }): Promise<string[]>;
  instructions(): string | undefined;
  /** Follows a resource, in the way of the protocol that is spoken. Answers with how to stop. */
  subscribe(uri: string): Promise<() => Promise<unknown>>;
  /** The URIs that it was told have changed, in order. */
  updated: string[];
  close(): Promise<void>;
};

type CompletionRef = { type: 'ref/prompt'; name: string } | { type: 'ref/resource'; uri: string };

export const CLIENT_KINDS = ['v1 client', 'v2 client, 2025 protocol', 'v2 client, 2026 protocol'] as const;
export type ClientKind = (typeof CLIENT_KINDS)[number];

/** Over stdio, to a process of its own. */
export async function connect(kind: ClientKind, name: string, flags: string[]): Promise<Agent> {
  const command = {
    command: process.execPath,
    // A client hands on little of the environment.
    args: [CLI, '--output', 'both', '--log-level', 'error', '--linger-seconds', '0', ...flags],
    stderr: 'inherit' as const,
  };
  if (kind === 'v1 client') return connectOlder(name, new OlderTransport(command));
  return connectNewer(kind, { name, transport: new StdioClientTransport(command) });
}

/** Over HTTP, to a server that others use too. */
export async function connectTo(
  kind: ClientKind,
  name: string,
  to: { url: URL; headers?: Record<string, string> },
): Promise<Agent> {
  const options = to.headers === undefined ? {} : { requestInit: { headers: to.headers } };
  if (kind === 'v1 client') return connectOlder(name, new OlderHttpTransport(to.url, options) as OlderHttp);
  return connectNewer(kind, { name, transport: new StreamableHTTPClientTransport(to.url, options) });
}

// Its own types are not written for exact optional properties.
type OlderHttp = Parameters<OlderClient['connect']>[0];

async function connectOlder(name: string, transport: OlderHttp): Promise<Agent> {
  const client = new OlderClient({ name, version: '1.0.0' });
  const updated: string[] = [];
  await within(WAIT_MS_MAX, `the connection of ${name}`, client.connect(transport));
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri));
  return agent(client, updated);
}

type Newer = { name: string; transport: Parameters<Client['connect']>[0] };

async function connectNewer(kind: ClientKind, { name, transport }: Newer): Promise<Agent> {
  const mode = kind === 'v2 client, 2026 protocol' ? { pin: '2026-07-28' } : 'legacy';
  const client = new Client({ name, version: '1.0.0' }, { versionNegotiation: { mode } });
  const updated: string[] = [];
  await within(WAIT_MS_MAX, `the connection of ${name}`, client.connect(transport));
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => void updated.push(params.uri));
  const subscribe = async (uri: string) => {
    const subscription = await client.listen({ resourceSubscriptions: [uri] });
    return () => subscription.close();
  };
  return { ...agent(client, updated), ...(mode !== 'legacy' && { subscribe }) };
}

function agent(client: Client | OlderClient, updated: string[]): Agent {
  // Tests need only the part that both generations of clients share, and there their types agree.
  const shared = client as Client;
  return {
    async call(name, args = {}) {
      const { content, structuredContent, isError } = await shared.callTool({ name, arguments: args });
      const text = content.map((block) => (block.type === 'text' ? block.text : '')).join('');
      return { text, data: (structuredContent ?? {}) as Record<string, unknown>, isError: isError === true };
    },
    listTools: async () => (await shared.listTools()).tools,
    async readResource(uri) {
      const { contents } = await shared.readResource({ uri });
      return contents.map((content) => ('text' in content ? content.text : '')).join('');
    },
    listResources: async () => (await shared.listResources()).resources.map(({ uri }) => uri),
    listTemplates: async () =>
      (await shared.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate),
    async getPrompt(name, args) {
      const { messages } = await shared.getPrompt({ name, arguments: args });
      return messages.map(({ content }) => (content.type === 'text' ? content.text : '')).join('');
    },
    complete: async (ref, argument) => (await shared.complete({ ref, argument })).completion.values,
    instructions: () => shared.getInstructions(),
    async subscribe(uri) {
      await shared.subscribeResource({ uri });
      return () => shared.unsubscribeResource({ uri });
    },
    updated,
    close: () => within(WAIT_MS_MAX, 'a client to close', shared.close()),
  };
}

/** A process spoken to line by line, for what no client would send. */
export type RawProcess = {
  process: ChildProcess;
  send(line: string): void;
  /** The next line that it answers. */
  next(): Promise<{ id?: unknown; [key: string]: unknown }>;
  exited: Promise<number | null>;
};

export function spawnRaw(flags: string[], env: NodeJS.ProcessEnv = {}): RawProcess {
  const child = spawn(process.execPath, [CLI, '--output', 'both', '--log-level', 'fatal', ...flags], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    send: (line) => child.stdin.write(`${line}\n`),
    async next() {
      const { value, done } = await lines.next();
      if (done) throw new Error('The process closed its output.');
      return JSON.parse(value);
    },
    exited: new Promise((resolve) => child.once('exit', resolve)),
  };
}
