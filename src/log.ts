import { type Logger, pino } from 'pino';

export type Log = Logger;

// Tokens, codes and client secrets of ours, and the password in the address of a database.
const SECRETS = /\bcairn_(at|rt|ac|pat|cs)_[\w-]+|(?<=:\/\/[^:/?#\s"]*:)[^@\s"]+(?=@)/g;

/** Logs go to standard error: standard output belongs to the protocol. No line holds a secret, whatever was logged. */
export function createLog(level: string): Log {
  return pino({ level, base: null, hooks: { streamWrite: redact } }, pino.destination({ dest: 2, sync: true }));
}

function redact(line: string): string {
  return line.includes('cairn_') || line.includes('://') ? line.replace(SECRETS, '[redacted]') : line;
}
