import { type DestinationStream, type Logger, pino } from 'pino';
import { PREFIXES } from './auth/secrets.ts';

export type Log = Logger;

// A line holds no secret that Cairn mints, nor the password in the address of a database.
const MINTED = `\\b(?:${Object.values(PREFIXES).join('|')})[\\w-]+`;
const PASSWORD = /(?<=:\/\/[^:/?#\s"]*:)[^@\s"]+(?=@)/.source;
const SECRETS = new RegExp(`${MINTED}|${PASSWORD}`, 'g');

/** Logs go to standard error: standard output belongs to the protocol. No line holds a secret, whatever was logged. */
export function createLog(
  level: string,
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Log {
  return pino({ level, base: null, hooks: { streamWrite: redact } }, destination);
}

function redact(line: string): string {
  return line.includes('cairn_') || line.includes('://') ? line.replace(SECRETS, '[redacted]') : line;
}
