// A program at a terminal, which reads a line at a time; `play.mjs` says what it does with one. While it works its
// screen moves.
import { createInterface } from 'node:readline';
import { plays, write } from './play.mjs';

let screen;
const still = () => clearInterval(screen);
const show = (text) => process.stdout.write(`\u001b[1m${text}\u001b[0m\r\n`);
const ended = (text) => {
  still();
  show(text);
};
const play = plays({
  say: show,
  print: write,
  ask: async () => 'nothing',
  question: async () => 'nothing',
  done: ended,
  fail: ended,
  limit: () => ended('limit'),
  interrupted: () => ended('interrupted'),
});

process.on('SIGINT', () => play.interrupt());
process.stdout.write(process.argv.includes('--paste') ? '\u001b[?2004h' : '');
if (!process.stdin.isTTY) throw new Error('It is no terminal.');
show(`${process.stdout.columns}x${process.stdout.rows}`);
for await (const line of createInterface({ input: process.stdin, terminal: false })) {
  // The line before may not have been still yet.
  still();
  screen = setInterval(() => process.stdout.write('.'), 30);
  if (/\bsilent\b/.test(line)) still();
  void play.begin(line);
}
