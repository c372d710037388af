// A stand-in for the model of a client, on loopback: each conversation is played by a function of the test, which reads
// what the client shows and calls tools by it.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as bodyOf } from 'node:stream/consumers';
import { Agent } from './agent.ts';
import { anthropic } from './models/anthropic.ts';
import { gemini } from './models/gemini.ts';
import { openai } from './models/openai.ts';
import { jsonAnswer, NOTHING } from './models/wire.ts';
import type { Program } from './programs.ts';

const WIRES = [anthropic, openai, gemini];
const COUNTED = { input_tokens: 10, totalTokens: 10 };

export type Play = (agent: Agent) => Promise<void>;

type Model = {
  url: string;
  agent: Agent;
  /** Ends when every play has; fails with the first that does. */
  played: Promise<unknown>;
  /** Requests that were answered and counted. */
  readonly answered: number;
  close(): void;
};

/** Sub-agents are told apart by a word that only their prompts begin with. */
export async function startModel(program: Program, play: Play, workers: Record<string, Play> = {}): Promise<Model> {
  const agent = new Agent(program);
  const agents = new Map(Object.keys(workers).map((word) => [word, new Agent(program)]));
  const plays = [...agents].map(([word, worker]) => worker.play(workers[word] ?? play));
  const played = Promise.all([agent.play(play), ...plays]);
  played.catch(() => {});

  let answered = 0;
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '', 'http://localhost').pathname;
    const raw = await bodyOf(request);
    if (/count_?tokens$/i.test(path)) return jsonAnswer(response, COUNTED);
    const wire = request.method === 'POST' ? WIRES.find(({ handles }) => handles(path)) : undefined;
    if (wire === undefined) return jsonAnswer(response, { error: { message: 'not here' } }, { status: 404 });
    const body = JSON.parse(raw) as object;
    const read = wire.read(body);
    const word = Object.keys(workers).find((marker) => read.opening.includes(marker)) ?? '';
    // Titles and the like are asked for without tools.
    const turn = read.tools.length === 0 ? NOTHING : await (agents.get(word) ?? agent).take(read);
    if (turn.refusedUntil === undefined) {
      answered += 1;
      wire.answer(response, turn, { path, body });
    } else wire.refuse(response, turn.refusedUntil);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    agent,
    played,
    get answered() {
      return answered;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
