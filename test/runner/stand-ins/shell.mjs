// A program that gives each command of `cairn` in its text, `$ close 1 -m Done.`, in its shell; its arguments are what comes before
// each: the program and its options.
import { spawnSync } from 'node:child_process';

let text = '';
for await (const part of process.stdin.setEncoding('utf8')) text += part;
for (const [, words] of text.matchAll(/^\$ (.+)$/gm)) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...process.argv.slice(2), ...words.split(' ')], {
    encoding: 'utf8',
  });
  process.stdout.write(`${words} -> ${status} ${stdout}${stderr}\n`);
}
process.stdout.write('did\n');
