// Speaks the stream-json of `claude -p`, and says each line of a text that is an object, whatever is in it.
import { createInterface } from 'node:readline';

const say = (line) => process.stdout.write(`${line}\n`);

for await (const line of createInterface({ input: process.stdin })) {
  const { uuid, message } = JSON.parse(line);
  if (message === undefined) continue;
  say(JSON.stringify({ type: 'user', isReplay: true, uuid }));
  for (const said of message.content.split('\n')) if (said.startsWith('{')) say(said);
}
