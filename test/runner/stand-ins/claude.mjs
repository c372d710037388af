// Speaks the stream-json of `claude -p` without a model; `play.mjs` says what it does with a text.
import { createInterface } from 'node:readline';
import { plays, write } from './play.mjs';

const ASKS = {
  ask: { tool_name: 'Bash', input: { command: 'rm -rf build' }, description: 'Clean' },
  question: {
    tool_name: 'AskUserQuestion',
    input: { questions: [{ question: 'Which colour?', options: [{ label: 'red' }, { label: 'blue' }] }] },
  },
};
const RESETS_AT = 1_900_000_000;
const answers = new Map();
const ALL_USED = { inputTokens: 90, outputTokens: 9, cacheReadInputTokens: 10, cacheCreationInputTokens: 0 };
let messages = 0;
let scouting;
let withdraw = () => {};

const say = (line) => write(JSON.stringify(line));
const end = (result) => say({ type: 'result', session_id: 'a-session', ...result });
const play = plays({
  say(text, used) {
    messages += 1;
    const usage = { input_tokens: used, output_tokens: 1 };
    // It says the same message again for each of its parts.
    for (const content of [[{ type: 'text', text }], []]) {
      say({ type: 'assistant', message: { id: `message-${messages}`, content, usage } });
    }
  },
  print: (text) => say({ type: 'assistant', message: { content: [{ type: 'text', text }] } }),
  ask: () => ask('ask'),
  question: () => ask('question'),
  scout(ms) {
    const about = { task_id: 'a-task', task_type: 'local_agent', subagent_type: 'Explore', description: 'Look' };
    say({ type: 'system', subtype: 'background_tasks_changed', tasks: [about] });
    const message = { id: 'scouted', content: [{ type: 'tool_use', name: 'Bash', input: {} }], usage: {} };
    const of = { parent_tool_use_id: 'a-tool', subagent_type: 'Explore', task_description: 'Look' };
    say({ type: 'assistant', message, ...of });
    scouting = setTimeout(scouted, ms);
  },
  done: (result, used) => end({ subtype: 'success', result, usage: { input_tokens: used, output_tokens: 2 } }),
  fail: (result) => end({ subtype: 'error_during_execution', is_error: true, result }),
  limit() {
    say({ type: 'rate_limit_event', rate_limit_info: { status: 'rejected', resetsAt: RESETS_AT } });
    end({ subtype: 'success', is_error: true, api_error_status: 429, result: "You've hit your limit." });
  },
  interrupted() {
    withdraw();
    end({ subtype: 'error_during_execution', is_error: true });
  },
});

/** It goes on by itself after a sub-agent. */
function scouted() {
  say({ type: 'system', subtype: 'background_tasks_changed', tasks: [] });
  say({ type: 'system', subtype: 'init', session_id: 'a-session' });
  end({ subtype: 'success', result: 'after the scout', usage: {}, modelUsage: { one: ALL_USED } });
}

async function ask(kind) {
  const request_id = `asks-${kind}-${messages}`;
  const answered = new Promise((resolve) => answers.set(request_id, resolve));
  withdraw = () => say({ type: 'control_cancel_request', request_id });
  await say({ type: 'control_request', request_id, request: { subtype: 'can_use_tool', ...ASKS[kind] } });
  const { behavior, message, updatedInput } = await answered;
  return `${behavior} ${message ?? JSON.stringify(updatedInput.answers ?? updatedInput)}`;
}

say({ type: 'system', subtype: 'init', session_id: 'a-session' });
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.type === 'control_response') answers.get(message.response.request_id)?.(message.response.response);
  else if (message.type === 'control_request') {
    say({ type: 'control_response', response: { subtype: 'success', request_id: message.request_id } });
    if (scouting?.hasRef() && !play.isBusy()) {
      clearTimeout(scouting);
      say({ type: 'system', subtype: 'background_tasks_changed', tasks: [] });
    }
    play.interrupt();
  } else {
    const { uuid } = message;
    say({ type: 'user', isReplay: true, uuid });
    if (play.isBusy() && message.priority === 'next') play.join(message.message.content);
    else void play.begin(message.message.content);
  }
}
