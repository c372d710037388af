import { type Logger, pino } from 'pino';

export type Log = Logger;

/** Logs go to standard error: standard output belongs to the protocol. */
export function createLog(level: string): Log {
  return pino({ level, base: null }, pino.destination({ dest: 2, sync: true }));
}
