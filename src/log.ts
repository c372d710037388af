import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

// Whatever src/auth/secrets.ts mints, and the password in the address of a database.
const SECRETS = /\bcairn_(at|rt|ac|pat|cs|se|tx|br|rq|lc|in)_[\w-]+|(?<=:\/\/[^:/?#\s"]*:)[^@\s"]+(?=@)/g;

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
