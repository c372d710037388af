import { CommanderError } from 'commander';
import { MISUSED } from './command.ts';
import { createProgram } from './program.ts';

/** Runs what was typed. */
export async function main(): Promise<void> {
  // A reader may stop early, as `head` does: the rest is written to nobody, and that is no failure.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') return;
      // What was asked for may be done: only its answer is lost.
      if (stream === process.stderr) process.exit(1);
      process.stderr.write(`cairn: The answer cannot be written (${error.code}).\n`, () => process.exit(1));
    });
  }
  try {
    await createProgram().parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : MISUSED;
  }
}
