// Programs at a terminal, as a person sits there.
import { stripVTControlCharacters } from 'node:util';
import { spawn } from '@lydell/node-pty';

type Terminal = {
  /** All that it has printed, without colours and the like. */
  shown(): string;
  type(keys: string): void;
  kill(): void;
  ended: Promise<void>;
};

const SIZE = { cols: 120, rows: 40 };

export function openTerminal(
  command: string,
  args: string[],
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Terminal {
  const terminal = spawn(command, args, { ...SIZE, cwd, env: { ...env, TERM: 'xterm-256color' } });
  let printed = '';
  terminal.onData((data) => {
    printed += data;
  });
  return {
    shown: () => stripVTControlCharacters(printed),
    type: (keys) => terminal.write(keys),
    kill: () => terminal.kill('SIGKILL'),
    ended: new Promise((resolve) => terminal.onExit(() => resolve())),
  };
}
