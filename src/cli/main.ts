import { CommanderError } from 'commander';
import { MISUSED } from './command.ts';
import { createProgram } from './program.ts';

/** Runs what was typed. */
export async function main(): Promise<void> {
  try {
    await createProgram().parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : MISUSED;
  }
}
