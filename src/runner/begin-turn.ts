import { stripVTControlCharacters } from 'node:util';
import { clean } from '../text.ts';
import type { Driver, Turn } from './driver.ts';
import type { Ended, Limited } from './ended.ts';

/** Delivers a text. A driver that throws fails this run, and nothing else. */
export function beginTurn(driver: Driver, ...given: Parameters<Driver['deliver']>): Turn {
  try {
    return told(driver.deliver(...given));
  } catch (error) {
    return { ended: Promise.resolve(inPlainText(failed(error))), interrupt() {}, stop() {} };
  }
}

/** Goes on with a turn; undefined where the driver knows none. */
export function resumeTurn(driver: Driver, ...given: Parameters<NonNullable<Driver['resume']>>): Turn | undefined {
  const turn = driver.resume?.(...given);
  return turn && told(turn);
}

function told(turn: Turn): Turn {
  return { ...turn, ended: turn.ended.catch(failed).then(inPlainText) };
}

function failed(error: unknown): Ended {
  return { status: 'failed', end_reason: 'error', error: error instanceof Error ? error.message : String(error) };
}

/** What an agent printed may hold colours and control characters, which the log refuses. */
function inPlainText(ended: Ended | Limited): Ended | Limited {
  if (ended.status === 'limited') return { ...ended, reason: plain(ended.reason) };
  const { error, result } = ended;
  return {
    ...ended,
    ...(error !== undefined && { error: plain(error) }),
    ...(result !== undefined && { result: plain(result) }),
  };
}

function plain(text: string): string {
  return clean(stripVTControlCharacters(text));
}
