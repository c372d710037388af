// Speaks the protocol of `codex app-server` without a model; `play.mjs` says what it does with a text. With `spawn N` it
// has a sub-agent, whose thread cannot be read the first N times.
import { createInterface } from 'node:readline';
import { plays, write } from './play.mjs';

const threadId = 'a-thread';
const answers = new Map();
const total = { inputTokens: 0, outputTokens: 0 };
let turns = 0;
let items = 0;
let unread = 0;

const say = (message) => write(JSON.stringify(message));
const tell = (method, params) => say({ method, params: { threadId, turnId: `turn-${turns}`, ...params } });
const end = (status, error = null) => tell('turn/completed', { turn: { id: `turn-${turns}`, status, error } });
const play = plays({
  say(text, used) {
    items += 1;
    const item = { type: 'agentMessage', id: `item-${items}` };
    tell('item/started', { item: { ...item, text: '' } });
    tell('item/agentMessage/delta', { itemId: item.id, delta: text });
    tell('item/completed', { item: { ...item, text } });
    use(used, 1);
    // Another thread, as of a sub-agent, is none of this one's.
    tell('item/completed', { threadId: 'another', item: { ...item, text: 'aside' } });
  },
  print: (delta) => tell('item/commandExecution/outputDelta', { itemId: 'flood', delta }),
  async ask() {
    const { decision } = await ask('item/commandExecution/requestApproval', {
      itemId: 'command',
      command: 'rm -rf build',
      cwd: '/',
      reason: null,
    });
    return decision;
  },
  async question() {
    const questions = [{ id: 'colour', question: 'Which colour?', options: [{ label: 'red' }, { label: 'blue' }] }];
    return JSON.stringify((await ask('item/tool/requestUserInput', { questions })).answers);
  },
  done(result) {
    tell('item/completed', { item: { type: 'agentMessage', id: 'last', text: result } });
    use(0, 1);
    end('completed');
  },
  fail: (message) => end('failed', { message, codexErrorInfo: 'other' }),
  limit(words) {
    if (words) return end('failed', { message: words, codexErrorInfo: 'usageLimitExceeded' });
    const primary = { usedPercent: 100, resetsAt: 1_900_000_000 };
    say({ method: 'account/rateLimits/updated', params: { rateLimits: { primary, secondary: null } } });
    end('failed', { message: "You've hit your usage limit.", codexErrorInfo: 'usageLimitExceeded' });
  },
  interrupted() {
    for (const id of answers.keys()) tell('serverRequest/resolved', { requestId: id });
    end('interrupted');
  },
});

function use(inputs, outputs) {
  total.inputTokens += inputs;
  total.outputTokens += outputs;
  tell('thread/tokenUsage/updated', { tokenUsage: { total } });
}

function spawn() {
  const id = 'thread-of-euclid';
  tell('turn/started', { threadId: id, turn: { id: 'aside' } });
  const item = { type: 'collabAgentToolCall', id: 'spawned', tool: 'spawnAgent', receiverThreadIds: [id] };
  tell('item/completed', { item });
}

function ask(method, params) {
  items += 1;
  const id = `asks-${items}`;
  say({ id, method, params: { threadId, ...params } });
  return new Promise((resolve) => answers.set(id, resolve));
}

function answer(method, { threadId: thread, input, expectedTurnId }) {
  if (method === 'initialize') return { userAgent: 'stand-in' };
  if (method === 'thread/start') return { thread: { id: threadId } };
  if (method === 'thread/resume') {
    process.stderr.write(`resumes ${thread}\n`);
    return { thread: { id: thread } };
  }
  if (method === 'turn/start') {
    turns += 1;
    setImmediate(() => {
      tell('turn/started', { turn: { id: `turn-${turns}` } });
      unread = Number(/spawn (\d+)/.exec(input[0].text)?.[1] ?? -1);
      if (unread >= 0) spawn();
      void play.begin(input[0].text);
    });
    return { turn: { id: `turn-${turns}` } };
  }
  if (method === 'thread/read') {
    unread -= 1;
    return unread >= 0 ? undefined : { thread: { id: thread, agentNickname: 'Euclid', agentRole: 'explorer' } };
  }
  if (method === 'turn/interrupt') {
    tell('item/started', { item: { type: 'commandExecution', id: 'left', command: 'sleep' } });
    setImmediate(play.interrupt);
    return {};
  }
  if (method === 'thread/backgroundTerminals/clean') {
    process.stderr.write('cleaned\n');
    return {};
  }
  if (method !== 'turn/steer' || !play.isBusy() || expectedTurnId !== `turn-${turns}`) return undefined;
  play.join(input[0].text);
  return { turnId: expectedTurnId };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params, result } = JSON.parse(line);
  if (method === undefined) {
    answers.get(id)?.(result);
    answers.delete(id);
  } else if (id !== undefined) {
    const found = answer(method, params);
    say(found === undefined ? { id, error: { code: -32600, message: `No ${method} now.` } } : { id, result: found });
  }
}
