import { type DestinationStream, type Logger, pino } from 'pino';
import { recordOf } from './records.ts';
import { PREFIXES } from './secret-prefixes.ts';
import { escaped } from './text.ts';

export type Log = Logger;

// A line holds no secret that Cairn mints, nor the password in the address of a database, nor what makes the URL of a
// file work.
const MINTED = `\\b(?:${Object.values(PREFIXES).join('|')})[\\w-]+`;
const PASSWORD = /(?<=:\/\/[^:/?#\s"]*:)[^@\s"]+(?=@)/.source;
const SIGNATURE = /(?<=[?&](?:X-Amz-Signature|X-Amz-Security-Token|token)=)[^&#\s"]+/.source;
const SECRETS = new RegExp(`${MINTED}|${PASSWORD}|${SIGNATURE}`, 'g');

/** Logs to standard error: standard output belongs to the protocol. No line holds a secret. */
export function createLog(
  level: string,
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Log {
  const shown = process.stderr.isTTY ? (line: string) => readable(redact(line)) : redact;
  return pino({ level, base: null, hooks: { streamWrite: shown } }, destination);
}

function redact(line: string): string {
  return line.includes('cairn_') || line.includes('://') ? line.replace(SECRETS, '[redacted]') : line;
}

/** Formats a line of JSON for a person at a terminal: `17:04:12 request method=POST status=200`. */
export function readable(line: string): string {
  const { time, level, msg = '', ...more } = recordOf(JSON.parse(line));
  const label = pino.levels.labels[Number(level)] ?? '';
  const values = Object.entries(more).map(([name, value]) => `${name}=${readableValue(value)}`);
  const words = [clockTime(Number(time)), ...(label === 'info' ? [] : [label]), String(msg), ...values];
  // Strangers wrote some of it: the terminal must not act on it.
  return `${escaped(words.join(' '))}\n`;
}

function clockTime(time: number): string {
  return new Date(time).toLocaleTimeString('en-GB');
}

function readableValue(value: unknown): string {
  if (typeof value === 'string' && /^\S+$/.test(value)) return value;
  const { message } = recordOf(value);
  return JSON.stringify(typeof message === 'string' ? message : value);
}
