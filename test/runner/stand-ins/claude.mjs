// Speaks the stream-json of `claude -p` without a model. Words of a text: `work MS` takes so long, `silent MS` says nothing
// meanwhile, `use N` counts tokens, `crash` ends the process, `fail` ends the turn with an error, `deaf` heeds no
// interrupt and no SIGTERM.
import { createInterface } from 'node:readline';

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const text = (words, usage) => say({ type: 'assistant', message: { content: [{ type: 'text', text: words }], usage } });
let turn;
let deaf = false;

process.on('SIGTERM', () => {
  if (!deaf) process.exit(143);
});
say({ type: 'system', subtype: 'init', session_id: 'a-session' });
process.stderr.write(`begun with ${process.env.CAIRN_AGENT ?? 'nobody'} ${process.argv.slice(2).join(' ')}\n`);

function end(result) {
  clearTimeout(turn?.timer);
  turn = undefined;
  say({ type: 'result', session_id: 'a-session', ...result });
}

function begin(content) {
  const number = (word, otherwise) => Number(new RegExp(`${word} (\\d+)`).exec(content)?.[1] ?? otherwise);
  if (/\bdeaf\b/.test(content)) deaf = true;
  if (/\bcrash\b/.test(content)) process.exit(3);
  const used = number('use', 10);
  if (!/\bsilent\b/.test(content)) text(`reads: ${content}`, { input_tokens: used, output_tokens: 1 });
  const done = () => {
    if (/\bfail\b/.test(content)) end({ subtype: 'error_during_execution', is_error: true, result: 'It failed.' });
    else
      end({
        subtype: 'success',
        result: ['did', ...turn.joined].join(' + '),
        usage: { input_tokens: used, output_tokens: 2 },
      });
  };
  turn = { joined: [], timer: setTimeout(done, number('work', number('silent', 20))) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.type === 'control_request') {
    say({ type: 'control_response', response: { subtype: 'success', request_id: message.request_id } });
    if (!deaf && turn !== undefined) end({ subtype: 'error_during_execution', is_error: true });
  } else if (turn !== undefined && message.priority === 'next') {
    turn.joined.push('steered');
    text(`steered: ${message.message.content}`);
  } else begin(message.message.content);
}
