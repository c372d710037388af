import { StringDecoder } from 'node:string_decoder';
import type { Driver, Turn, Watcher } from '../driver.ts';
import type { Ended } from '../ended.ts';
import { ProcessGroup, type Program, startFailure } from '../process-group.ts';
import { Tail } from '../tail.ts';

type Options = { program: Program; graceMs: number };

/** Starts the program once for each text, which it reads from its standard input; what it prints is the result. */
export function pipeDriver({ program, graceMs }: Options): Driver {
  const groups = new Set<ProcessGroup>();
  return {
    path: 'standard input of a program of its own',
    modes: ['turn'],
    open: async () => {},
    deliver(text, { watcher, env }) {
      const group = new ProcessGroup({ ...program, env: { ...program.env, ...env } }, watcher.signalled);
      groups.add(group);
      const turn = turnOf(group, { watcher, graceMs });
      void turn.ended.finally(() => groups.delete(group));
      group.write(text, () => watcher.delivered());
      group.child.stdin.end();
      return turn;
    },
    async close() {
      await Promise.all([...groups].map((group) => group.stop({ graceMs })));
    },
    pids: () => [...groups].flatMap(({ pid }) => pid ?? []),
  };
}

function turnOf(group: ProcessGroup, { watcher, graceMs }: { watcher: Watcher; graceMs: number }): Turn {
  const said = new Tail();
  const complained = new Tail();
  let hasBegun = false;
  for (const [stream, tail] of [
    ['stdout', said],
    ['stderr', complained],
  ] as const) {
    const decoder = new StringDecoder('utf8');
    group.child[stream].on('data', (bytes: Buffer) => {
      const text = decoder.write(bytes);
      if (text === '') return;
      if (!hasBegun) watcher.acknowledged();
      hasBegun = true;
      tail.add(text);
      watcher.printed(stream, text);
    });
  }
  let interrupted = false;
  const stop = () => {
    interrupted = true;
    void group.stop({ graceMs });
  };
  async function end(): Promise<Ended> {
    const { code, signal, error } = await group.exited;
    // What it has started ends with it.
    await group.gone({ graceMs });
    if (interrupted) return { status: 'cancelled', end_reason: 'interrupted', result: said.text };
    if (error !== undefined) return { status: 'failed', end_reason: 'error', error: startFailure(error) };
    if (code === 0) return { status: 'completed', end_reason: 'completed', result: said.text };
    const why = code === null ? `It was ended by ${signal}.` : `It ended with ${code}.`;
    const about = `${why} ${complained.text}`.trim();
    return { status: 'failed', end_reason: 'crashed', error: about, result: said.text };
  }
  // A program that reads one text knows no other way to be interrupted.
  return { ended: end(), interrupt: stop, stop };
}
