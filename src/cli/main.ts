import { CommanderError } from 'commander';
import { MISUSED } from './command.ts';
import { createProgram } from './program.ts';

/** Runs the command that was typed. */
export async function main(): Promise<void> {
  // A reader may stop early, as `head` does: the rest goes nowhere, and that is no failure.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') return;
      // The command may have succeeded: only its answer is lost.
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
