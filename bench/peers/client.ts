// A client of any MCP server over stdio. Unlike the one beside it, it answers what servers ask of a client, and passes
// over what they print on standard output besides messages.
import { spawn } from 'node:child_process';
import { env, execPath } from 'node:process';
import { createInterface } from 'node:readline';

const PROTOCOL = '2025-06-18';
const CALL_MS_MAX = 60_000;

export type Command = {
  program?: string | undefined;
  script: string;
  args?: string[];
  env?: Record<string, string>;
  cwd: string;
  isRefusal?: (text: string) => boolean;
};
/** A tool and what it is given. */
export type ToolCall = [tool: string, args: object];

export type Client = {
  /** The structured content of the last answer; some hosts show it instead of the text. */
  structured: unknown;
  /** The text that a model would see; a refusal is an error. */
  call(call: ToolCall): Promise<string>;
  listTools(): Promise<ListedTool[]>;
  stop(): Promise<void>;
};

type ListedTool = { name: string; description?: string; inputSchema: object };
type Waiting = { resolve: (result: unknown) => void; reject: (error: Error) => void };
type Message = { id?: number; method?: string; result?: unknown; error?: { code?: number; message: string } };
type Called = { content?: { text?: string }[]; structuredContent?: unknown; isError?: boolean };

/** Starts a server and shakes hands. */
export async function connect({
  program = execPath,
  script,
  args = [],
  env: own = {},
  cwd,
  isRefusal,
}: Command): Promise<Client> {
  const child = spawn(program, [script, ...args], {
    cwd,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...env, ...own },
    windowsHide: true,
  });
  const waiting = new Map<number | undefined, Waiting>();
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const fail = (reason: string) => {
    for (const { reject } of waiting.values()) reject(new Error(reason));
    waiting.clear();
  };
  child.once('error', (error) => fail(error.message));
  child.once('exit', (code) => fail(`the server exited with ${code}`));
  child.stdin.on('error', () => {});
  let last = 0;

  createInterface({ input: child.stdout }).on('line', (line) => {
    const message = parse(line);
    if (message === undefined) return;
    if (message.method !== undefined) {
      if (message.id !== undefined) answer(message);
      return;
    }
    const call = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error === undefined) call?.resolve(message.result);
    else call?.reject(new Error(message.error.message));
  });

  function answer({ id, method }: Message): void {
    const reply: Message =
      method === 'roots/list' ? { result: { roots: [] } } : { error: { code: -32601, message: 'not here' } };
    send({ ...reply, ...(id !== undefined && { id }) });
  }

  function send(message: Message & { params?: object }): void {
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  function request(method: string, params: object): Promise<unknown> {
    const id = ++last;
    let timer: NodeJS.Timeout;
    const reply = new Promise<unknown>((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      timer = setTimeout(() => reject(new Error(`${method}: no answer in ${CALL_MS_MAX / 1_000} s`)), CALL_MS_MAX);
      send({ id, method, params });
    });
    return reply.finally(() => clearTimeout(timer));
  }

  try {
    const clientInfo = { name: 'bench', version: '1.0.0' };
    await request('initialize', { protocolVersion: PROTOCOL, capabilities: { roots: {} }, clientInfo });
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  send({ method: 'notifications/initialized' });

  const client: Client = {
    structured: undefined,
    async call([name, args]) {
      const called = (await request('tools/call', { name, arguments: args })) as Called;
      const { content = [], structuredContent, isError } = called;
      client.structured = structuredContent;
      const text = content.map((part) => part.text ?? '').join('\n');
      if (isError || isRefusal?.(text)) throw new Error(`${name}: ${text.slice(0, 200)}`);
      return text;
    },
    listTools: async () => ((await request('tools/list', {})) as { tools: ListedTool[] }).tools,
    async stop() {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
      await exited;
      clearTimeout(timer);
    },
  };
  return client;
}

function parse(line: string): Message | undefined {
  try {
    return JSON.parse(line) as Message;
  } catch {
    return undefined;
  }
}
