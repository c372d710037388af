// A program that reads one text and ends. Words of the text: `flood N` prints so many MB, `work MS` and `silent MS` take so long,
// `exit N` ends with it, `crash` with 3; `deaf` heeds no SIGTERM, nor does the process that it starts.
import { deafChild } from './play.mjs';

let text = '';
for await (const part of process.stdin.setEncoding('utf8')) text += part;
const number = (word, otherwise) => Number(new RegExp(`${word} (\\d+)`).exec(text)?.[1] ?? otherwise);
process.stdout.write(`reads: ${text.split('\n')[0]}\n${text.split('\n').at(-2)} ä€😀\n`);
if (/\bcrash\b/.test(text)) process.exit(3);
if (/\bdeaf\b/.test(text)) {
  process.on('SIGTERM', () => {});
  deafChild((pid) => process.stdout.write(`deaf with ${pid}\n`));
}
const line = `${'x'.repeat(1023)}\n`.repeat(64);
for (let written = 0; written < number('flood', 0) * 16; written += 1) {
  if (!process.stdout.write(line)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}
await new Promise((resolve) => setTimeout(resolve, number('work', number('silent', 0))));
process.stdout.write('did\n');
process.exit(number('exit', 0));
