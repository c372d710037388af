// Speaks the Agent Client Protocol without a model; `play.mjs` says what it does with a text. With `no-refusal` it
// offers none and ends its turn instead; `stubborn` asks for leave whatever it is told.
import { createInterface } from 'node:readline';
import { plays, write } from './play.mjs';

const sessionId = 'a-session';
const is = (kind) => process.argv.includes(kind);
const answers = new Map();
let prompt;
let asked = 0;

const say = (message) => write(JSON.stringify({ jsonrpc: '2.0', ...message }));
const tell = (update) => say({ method: 'session/update', params: { sessionId, update } });
const chunk = (text) => tell({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } });
const play = plays({
  say(text, used) {
    chunk(`${text}\n`);
    tell({ sessionUpdate: 'usage_update', used, size: 1_000_000 });
  },
  print: chunk,
  async ask() {
    asked += 1;
    const options = [
      { optionId: 'always', name: 'Always', kind: 'allow_always' },
      { optionId: 'once', name: 'Yes', kind: 'allow_once' },
      ...(is('no-refusal') ? [] : [{ optionId: 'no', name: 'No', kind: 'reject_once' }]),
    ];
    const toolCall = {
      toolCallId: 'call',
      title: 'rm -rf build',
      kind: 'execute',
      rawInput: { command: 'rm -rf build' },
    };
    await say({ id: `asks-${asked}`, method: 'session/request_permission', params: { sessionId, toolCall, options } });
    const { outcome } = await new Promise((resolve) => answers.set(`asks-${asked}`, resolve));
    if (is('no-refusal')) setTimeout(() => play.interrupt());
    return outcome.optionId ?? outcome.outcome;
  },
  question: async () => 'nothing: the protocol has no questions',
  done(result, used) {
    chunk(result);
    const token_count = { input_tokens: used, output_tokens: 2 };
    say({ id: prompt, result: { stopReason: 'end_turn', _meta: { quota: { token_count } } } });
  },
  fail: (message) => say({ id: prompt, error: { code: -32603, message } }),
  limit: () => say({ id: prompt, error: { code: 429, message: 'You have exhausted your quota.' } }),
  interrupted: () => say({ id: prompt, result: { stopReason: 'cancelled' } }),
});

function answer(method) {
  if (method === 'initialize') return { protocolVersion: 1, agentCapabilities: { loadSession: true } };
  if (method === 'session/new') return { sessionId };
  if (method !== 'session/load') return undefined;
  process.stderr.write(`resumes ${sessionId}\n`);
  chunk('said before');
  return {};
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params, result } = JSON.parse(line);
  if (method === undefined) answers.get(id)?.(result);
  else if (method === 'session/cancel') play.interrupt();
  else if (method === 'session/prompt') {
    prompt = id;
    const [{ text }] = params.prompt;
    void play.begin(is('stubborn') ? `ask ${text}` : text);
  } else say({ id, result: answer(method) });
}
