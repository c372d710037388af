import type { Command } from 'commander';
import { type Config, type Flags, readConfig } from '../config.ts';
import { DomainError } from '../errors.ts';

// Commands are imported when they run: a client waits for the start of this program.

/** What a command of this program may end with, besides 0: it failed, or it was typed wrong. */
const FAILED = 1;
export const MISUSED = 2;

/** Runs a command with the configuration and what else was typed; a failure is two sentences on standard error. */
export function command<Given extends unknown[]>(
  run: (config: Config, ...given: Given) => Promise<void>,
): (this: Command, ...given: Given) => Promise<void> {
  return async function (...given) {
    let config: Config | undefined;
    try {
      config = readConfig(this.optsWithGlobals<Flags>());
      await run(config, ...given);
    } catch (error) {
      process.stderr.write(`cairn: ${describe(error, config)}\n`);
      process.exitCode = config === undefined ? MISUSED : FAILED;
    }
  };
}

function describe(error: unknown, config: Config | undefined): string {
  if (error instanceof DomainError) return error.hint === null ? error.message : `${error.message}\n${error.hint}`;
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
  const verbose = config?.logLevel === 'debug' || config?.logLevel === 'trace';
  return verbose ? `${stack}` : `${message}\n--log-level debug shows where it comes from.`;
}
