import { Console } from 'node:console';
import { Readable, Writable } from 'node:stream';
import { main } from '../../src/cli/main.ts';
import type { Given, Ran } from './cairn.ts';

let running = false;

/**
 * Runs `cairn` within this process, one command at a time: a tenth of the cost of a process of its own, for the suites
 * that ask what a command does. How the program starts, is interrupted and ends is for `cairn`, and so are hooks, which
 * end their process. `isTyped`: a person sits at the terminal.
 */
export async function cairnHere(
  args: string[],
  { input, cwd, env = {}, isTyped = false }: Given & { isTyped?: boolean } = {},
): Promise<Ran> {
  if (running) throw new Error('One command at a time: run the others with `cairn`, as processes.');
  running = true;
  const [stdout, stderr] = [new Captured(), new Captured()];
  const restore = [
    replaceStreams({
      stdin: Object.assign(Readable.from(input === undefined ? [] : [Buffer.from(input)]), isTyped && { isTTY: true }),
      stdout,
      stderr,
    }),
    replaceEnvironment(env),
    changeDirectory(cwd),
  ];
  const { argv, exitCode } = process;
  const { console } = globalThis;
  process.argv = [process.execPath, 'cairn', ...args];
  process.exitCode = undefined;
  globalThis.console = new Console(stdout, stderr);
  try {
    await main();
    return { code: Number(process.exitCode ?? 0), stdout: stdout.text, stderr: stderr.text };
  } finally {
    process.argv = argv;
    process.exitCode = exitCode;
    globalThis.console = console;
    for (const undo of restore) undo();
    running = false;
  }
}

class Captured extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

function replaceStreams(streams: { stdin: Readable; stdout: Writable; stderr: Writable }): () => void {
  const names = Object.keys(streams);
  const before = names.map((name) => [name, Object.getOwnPropertyDescriptor(process, name) ?? {}] as const);
  for (const [name, value] of Object.entries(streams))
    Object.defineProperty(process, name, { value, configurable: true });
  return () => {
    for (const [name, property] of before) Object.defineProperty(process, name, property);
  };
}

function replaceEnvironment(env: NodeJS.ProcessEnv): () => void {
  const before = { ...process.env };
  const names = Object.keys(env);
  Object.assign(process.env, env);
  return () => {
    for (const name of names) delete process.env[name];
    Object.assign(process.env, before);
  };
}

function changeDirectory(cwd: string | undefined): () => void {
  const before = process.cwd();
  if (cwd !== undefined) process.chdir(cwd);
  return () => process.chdir(before);
}
