import { type Command, InvalidArgumentError } from 'commander';
import type { JsonOption } from '../commands/paint.ts';
import { type Config, type Flags, readConfig } from '../config.ts';
import { DomainError, domainErrorFrom } from '../errors.ts';

/** What every command has that answers with something. */
export const JSON_OPTION = ['--json', 'print JSON'] as const;

// Commands are imported when they run: a client waits for the start of this program.

/** What a command of this program may end with, besides 0: it failed, or it was typed wrong. */
const FAILED = 1;
export const MISUSED = 2;

const LIMIT_MAX = 1_000;

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
      const { json } = this.opts<JsonOption>();
      process.stderr.write(json ? `${asJson(error)}\n` : `cairn: ${describe(error, config)}\n`);
      // One that was interrupted has set its own.
      process.exitCode = config === undefined ? MISUSED : (process.exitCode ?? FAILED);
    }
  };
}

function describe(error: unknown, config: Config | undefined): string {
  if (error instanceof DomainError) return error.hint === null ? error.message : `${error.message}\n${error.hint}`;
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
  const verbose = config?.logLevel === 'debug' || config?.logLevel === 'trace';
  return verbose ? `${stack}` : `${message}\n--log-level debug shows where it comes from.`;
}

function asJson(error: unknown): string {
  const { code, message, hint, details } = domainErrorFrom(error);
  return JSON.stringify({ error: { code, message, hint, details } });
}

/** The end of a command's help. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

/** The argument of `--limit`. */
export function limit(given: string): number {
  const count = Number(given);
  if (Number.isInteger(count) && count >= 1 && count <= LIMIT_MAX) return count;
  throw new InvalidArgumentError(`It must be a number from 1 to ${LIMIT_MAX}.`);
}
