// A stand-in for the model of a client, on loopback: each conversation is played by a function of the test, which reads what the client
// shows and calls tools by it.
import { createServer } from 'node:http';
import { text as bodyOf } from 'node:stream/consumers';
import { Agent } from './agent.mjs';
import { anthropic } from './models/anthropic.mjs';
import { gemini } from './models/gemini.mjs';
import { openai } from './models/openai.mjs';
import { jsonAnswer, NOTHING } from './models/wire.mjs';

const WIRES = [anthropic, openai, gemini];
const COUNTED = { input_tokens: 10, totalTokens: 10 };

/**
 * @typedef {(agent: Agent) => Promise<void>} Play
 * @typedef {Awaited<ReturnType<typeof startModel>>} Model
 */

/**
 * Sub-agents are told apart by a word that only their prompts begin with.
 * @param {import('./programs.mjs').Program} program @param {Play} play @param {Record<string, Play>} workers
 */
export async function startModel(program, play, workers = {}) {
  const agent = new Agent(program);
  const agents = new Map([['', agent], ...Object.keys(workers).map((word) => [word, new Agent(program)])]);
  const played = Promise.all([...agents].map(([word, one]) => one.play(workers[word] ?? play)));
  played.catch(() => {});

  const server = createServer(async (request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname;
    const raw = await bodyOf(request);
    if (/count_?tokens$/i.test(path)) return jsonAnswer(response, COUNTED);
    const wire = request.method === 'POST' ? WIRES.find(({ handles }) => handles(path)) : undefined;
    if (wire === undefined) return jsonAnswer(response, { error: { message: 'not here' } }, 404);
    const body = JSON.parse(raw);
    const read = wire.read(body);
    const word = Object.keys(workers).find((marker) => read.opening.includes(marker)) ?? '';
    // Titles and the like are asked for without tools.
    const turn = read.tools.length === 0 ? NOTHING : await agents.get(word).take(read);
    wire.answer(response, turn, { path, body });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    agent,
    /** Ends when every play has; fails with the first that does. */
    played,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
