// Streams that stay open: whether all of them hear of a change, whether they hold, and how soon they are cut.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Address, agentOf, call, listen } from './http-client.ts';
import { type Sample, summary, timed } from './sample.ts';
import { endToken, type Token } from './tokens.ts';

// A grant has so many calls wait at most; the rest would be refused.
const AT_ONCE = 32;

// Twice as long as the server takes to look whether a stream is still let in.
const HOLD_MS = 11_000;
const CALLS = 200;

export type Streams = {
  count: number;
  held: number;
  hold_ms: number;
  heard_ms: number;
  cut_ms: number;
  meanwhile: Sample;
  megabytes: { before: number; after: number };
};

type Given = { server: Address; dataDir: string; token: Token; count: number };

export async function holdStreams({ server, dataDir, token, count }: Given): Promise<Streams> {
  const before = await residentMegabytes(server);
  const agent = agentOf(Number.POSITIVE_INFINITY);
  const idle = agentOf(1);
  const uri = 'cairn://projects/web/tasks/web-1';
  const follow = () => listen({ port: server.port, token: token.secret }, uri, agent);
  const streams: Awaited<ReturnType<typeof follow>>[] = [];
  while (streams.length < count) {
    const some = Math.min(AT_ONCE, count - streams.length);
    streams.push(...(await Promise.all(Array.from({ length: some }, follow))));
  }
  const after = await residentMegabytes(server);
  const taken: number[] = [];
  for (let at = 0; at < CALLS; at++) {
    const { ms } = await timed(() => call({ ...server, tool: 'get_task', args: { task: 'web-1' } }, idle));
    taken.push(ms);
  }
  const { ms: heard_ms } = await timed(async () => {
    await call({ ...server, tool: 'record_event', args: { task: 'web-1', text: 'Heard?' } }, idle);
    await Promise.all(streams.map(({ heard }) => heard));
  });
  await sleep(HOLD_MS);
  const held = streams.filter(({ isOpen }) => isOpen()).length;
  const { ms: cut_ms } = await timed(async () => {
    await endToken(dataDir, token);
    await Promise.all(streams.map(({ closed }) => closed));
  });
  agent.destroy();
  idle.destroy();
  return { count, held, hold_ms: HOLD_MS, heard_ms, cut_ms, meanwhile: summary(taken), megabytes: { before, after } };
}

async function residentMegabytes({ port }: Address): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\d+)/m.exec(text)?.[1]) / 1_024 ** 2;
}
