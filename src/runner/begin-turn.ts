import { stripVTControlCharacters } from 'node:util';
import { clean } from '../text.ts';
import type { Driver, Ended, Limited, Turn } from './driver.ts';

/** Delivers a text. A driver that throws fails this run, and nothing else. */
export function beginTurn(driver: Driver, ...given: Parameters<Driver['deliver']>): Turn {
  try {
    const turn = driver.deliver(...given);
    return { ...turn, ended: turn.ended.catch(failed).then(inPlainText) };
  } catch (error) {
    return { ended: Promise.resolve(inPlainText(failed(error))), interrupt() {}, stop() {} };
  }
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
