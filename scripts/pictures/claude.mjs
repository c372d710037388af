// Stands in for Claude Code: it speaks the stream-json of `claude -p` without a model. It looks into something until it
// is interrupted, and does anything else at once.
import { createInterface } from 'node:readline';

let isLooking = false;

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const say = (text) => write({ type: 'assistant', message: { content: [{ type: 'text', text }] } });
const end = (how) => write({ type: 'result', session_id: 'a-session', usage: {}, ...how });

write({ type: 'system', subtype: 'init', session_id: 'a-session' });
for await (const line of createInterface({ input: process.stdin })) {
  const { type, uuid, request_id, message } = JSON.parse(line);
  if (type === 'control_request') {
    write({ type: 'control_response', response: { subtype: 'success', request_id } });
    if (isLooking) end({ subtype: 'error_during_execution', is_error: true });
    isLooking = false;
  } else if (type === 'user') {
    write({ type: 'user', isReplay: true, uuid });
    take(message.content);
  }
}

function take(content) {
  if (isLooking) return say('I leave the tests alone, and look at the cart.');
  isLooking = content.includes('Look');
  if (isLooking) return say('The build fails: two tests expect another price.');
  say('The price was rounded too early. The build passes.');
  end({ subtype: 'success', result: 'The build passes.' });
}
