// A program that reads one text and ends. Words of the text: `flood N` prints so many MB, `work MS` takes so long, `exit N`
// ends with it, `deaf` heeds no SIGTERM.
let text = '';
for await (const part of process.stdin.setEncoding('utf8')) text += part;
const number = (word, otherwise) => Number(new RegExp(`${word} (\\d+)`).exec(text)?.[1] ?? otherwise);
if (/\bdeaf\b/.test(text)) process.on('SIGTERM', () => {});
process.stdout.write(`read: ${text.split('\n').at(-2)} ä€😀\n`);
const line = `${'x'.repeat(1023)}\n`.repeat(64);
for (let written = 0; written < number('flood', 0) * 16; written += 1) {
  if (!process.stdout.write(line)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}
await new Promise((resolve) => setTimeout(resolve, number('work', 0)));
process.exitCode = number('exit', 0);
