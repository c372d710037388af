import { type Command, InvalidArgumentError } from 'commander';
import { type Config, type Flags, readConfig } from '../config.ts';
import { DomainError } from '../errors.ts';
import { failureData, failureLines, inOurWords } from './failure.ts';
import { FOR_PEOPLE } from './for-people.ts';
import type { JsonOption } from './terminal/output.ts';

/** The option of every command that prints an answer. */
export const JSON_OPTION = ['--json', 'print JSON'] as const;

// Commands are imported when they run: a client waits for this program to start.

/** Exit codes besides 0: the command failed or was refused, or was mistyped. */
const FAILED = 1;
export const MISUSED = 2;

const LIMIT_MAX = 1_000;
const DAY_SECONDS = 86_400;
const MONTH_DAYS = 30;

/**
 * Runs a command with the configuration and the remaining arguments; prints a failure as two sentences on standard
 * error.
 */
export function command<Given extends unknown[]>(
  run: (config: Config, ...given: Given) => Promise<void>,
): (this: Command, ...given: Given) => Promise<void> {
  return async function (...given) {
    let config: Config | undefined;
    try {
      config = readConfig(flagsOf(this));
      if (FOR_PEOPLE.has(pathOf(this))) (await import('./require-person.ts')).refuseAgent(config);
      await run(config, ...given);
    } catch (error) {
      const { json } = this.opts<JsonOption>();
      process.stderr.write(
        json ? `${JSON.stringify({ error: failureData(error) })}\n` : `cairn: ${describe(error, config)}\n`,
      );
      // An interrupted command has set its own.
      process.exitCode ??= config === undefined || isMisuse(error) ? MISUSED : FAILED;
    }
  };
}

/** The words after `cairn` that name a command. */
export function pathOf(typed: Command): string {
  const { parent } = typed;
  return parent === null ? '' : `${pathOf(parent)} ${typed.name()}`.trim();
}

/** The settings that were typed. Where a command has an --agent of its own, that names another than who acts. */
function flagsOf(typed: Command): Flags {
  const { agent, ...flags } = typed.optsWithGlobals<Flags>();
  const isOwn = typed.parent !== null && typed.options.some(({ long }) => long === '--agent');
  return isOwn ? flags : { ...flags, agent };
}

function isMisuse(error: unknown): boolean {
  return error instanceof DomainError && error.mistyped;
}

function describe(error: unknown, config: Config | undefined): string {
  if (error instanceof DomainError) return failureLines(inOurWords(error));
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
  const verbose = config?.logLevel === 'debug' || config?.logLevel === 'trace';
  return verbose ? `${stack}` : `${message}\n--log-level debug shows where it comes from.`;
}

/** Formats the end of a command's help. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

/** Parses the argument of `--limit`. */
export const limit = upTo(LIMIT_MAX);

/** Parses a whole number from 1. */
export function upTo(max: number): (given: string) => number {
  return (given) => {
    const count = /^\d{1,15}$/.test(given) ? Number(given) : 0;
    if (count >= 1 && count <= max) return count;
    throw new InvalidArgumentError(`It must be a number from 1 to ${max}.`);
  };
}

/** Parses a number, such as a rank. */
export function numeric(given: string): number {
  if (/^-?\d{1,16}(?:\.\d{1,16})?$/.test(given.trim())) return Number(given);
  throw new InvalidArgumentError('It must be a number like 2 or 1.5.');
}

/** Collects an option that may be given several times. */
export function repeated(given: string, before: string[] = []): string[] {
  return [...before, given];
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Parses a time like `90m` or `8h` into seconds; at most a day. */
export function duration(given: string): number {
  const seconds = secondsOf(given);
  if (seconds >= 1 && seconds <= DAY_SECONDS) return seconds;
  throw new InvalidArgumentError('It must be a time like 90m or 8h, at most 24h.');
}

/** The same, at most a month. */
export function longDuration(given: string): number {
  const seconds = secondsOf(given);
  if (seconds >= 1 && seconds <= MONTH_DAYS * DAY_SECONDS) return seconds;
  throw new InvalidArgumentError(`It must be a time like 8h or 7d, at most ${MONTH_DAYS}d.`);
}

function secondsOf(given: string): number {
  const [, amount, unit = ''] = /^(\d{1,5})([smhd])$/.exec(given) ?? [];
  return Number(amount) * (UNIT_SECONDS[unit] ?? 0);
}
