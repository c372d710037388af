// One server alone: what it costs to start, to hold in a context, and to work with as its store grows.
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import type { Client } from './client.ts';
import type { Server } from './servers/server.ts';
import { median, type Store } from './store.ts';

export type Started = {
  start_ms: number;
  tools: number;
  shown_tokens: number;
  tool_tokens: number;
  tools_tokens: number;
};

export type Kind = 'create' | 'update' | 'list' | 'next' | 'take';
/** p50 in milliseconds, and the tokens of the answer: of its text, and of its structured content where it has any. */
export type Timed = { ms: number; tokens: number; structured?: number };
export type Failed = { error: string };
export type Stage = Partial<Record<Kind, Timed | Failed>>;

type Run = (at: number) => Promise<string | undefined>;

const TOOLS_STARTS = 5;
const CALLS = 15;
// The budget for one kind of call at one size; a server that takes seconds for a call gets fewer calls.
const KIND_MS_MAX = 8_000;

/** Start to the answer of tools/list, and what that answer costs. */
export async function measureStart(store: Store): Promise<Started> {
  const times: number[] = [];
  let tools: Awaited<ReturnType<Client['listTools']>> = [];
  for (let at = 0; at < TOOLS_STARTS; at += 1) {
    const from = performance.now();
    const client = await store.open();
    tools = await client.listTools();
    times.push(performance.now() - from);
    await client.stop();
  }
  // Hosts give a model these three of each tool; the rest is for the host.
  const shown = tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
  return {
    start_ms: median(times),
    tools: tools.length,
    shown_tokens: countTokens(JSON.stringify(shown)),
    tool_tokens: countTokens(JSON.stringify(shown)) / tools.length,
    tools_tokens: countTokens(JSON.stringify(tools)),
  };
}

/**
 * The commonest deeds on a store of some size: p50 in milliseconds, and the tokens of the answer where it is one call.
 */
export async function measureCalls({ server, place, ids, open }: Store): Promise<Stage> {
  const client = await open();
  const said = (call: Server['next']) => client.call(typeof call === 'function' ? call(place) : call);
  const kinds: Record<Kind, Run> = {
    create: (at) => said(server.create(`Another task ${at}`, 'It came up on the way.', place)),
    update: (at) => said(server.update(ids[at % ids.length] ?? '', `Seen in round ${at}.`, place)),
    list: () => said(server.list),
    next: () => said(server.next),
    take: () => server.claim(client, place),
  };
  const found: Stage = {};
  for (const kind of Object.keys(kinds) as Kind[]) {
    try {
      const timed = await time(kinds[kind]);
      const { structured } = client;
      found[kind] = {
        ...timed,
        ...(structured !== undefined && { structured: countTokens(JSON.stringify(structured)) }),
      };
    } catch (error) {
      found[kind] = { error: error instanceof Error ? error.message : String(error) };
    }
  }
  await client.stop();
  return found;
}

async function time(run: Run): Promise<Timed> {
  const times: number[] = [];
  let text = '';
  const end = performance.now() + KIND_MS_MAX;
  for (let at = 0; at < CALLS && (at < 2 || performance.now() < end); at += 1) {
    const from = performance.now();
    text = (await run(at)) ?? '';
    times.push(performance.now() - from);
  }
  // The first call of a kind meets cold code.
  return { ms: median(times.slice(1)), tokens: countTokens(text) };
}
