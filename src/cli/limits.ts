import { InvalidArgumentError } from 'commander';
import { duration } from './command.ts';

const SECOND_MS = 1_000;
const NONE = 'none';
const UNITS: readonly [suffix: string, ms: number][] = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];

/** Parses a limit; `none` takes it away, which the services write as zero. */
export function limitOf(parse: (given: string) => number): (given: string) => number {
  return (given) => (given === NONE ? 0 : parse(given));
}

export function milliseconds(given: string): number {
  return duration(given) * SECOND_MS;
}

export function tokens(given: string): number {
  return scaled(given, { '': 1, k: 1_000, m: 1_000_000 }, 'It must be a number like 200000, 200k or 2m.');
}

export function megabytes(given: string): number {
  return scaled(given, { '': 1, m: 1, mb: 1, g: 1_024, gb: 1_024 }, 'It must be a size like 512m or 2g.');
}

export function percent(given: string): number {
  return scaled(given, { '': 1, '%': 1 }, 'It must be a number like 80; 100 is one processor.');
}

function scaled(given: string, units: Readonly<Record<string, number>>, otherwise: string): number {
  const [, amount, unit = ''] = /^(\d{1,9})([a-z%]*)$/.exec(given.toLowerCase()) ?? [];
  const value = Number(amount) * (Object.hasOwn(units, unit) ? (units[unit] ?? 0) : 0);
  if (value >= 1) return value;
  throw new InvalidArgumentError(otherwise);
}

/** Formats a time in its largest whole unit, as it is typed. */
export function durationOf(limit: number): string {
  const [suffix, ms] = UNITS.find(([, unit]) => limit % unit === 0) ?? ['ms', 1];
  return `${limit / ms}${suffix}`;
}
