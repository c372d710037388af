import type { Claimed } from '../services/runner.ts';
import type { Ended } from './ended.ts';

export type Limits = Extract<Claimed, { command: unknown }>['command']['limits'];
type Reason = Extract<Ended['end_reason'], 'time_limit' | 'token_limit' | 'silent' | 'memory_limit' | 'cpu_limit'>;
/** What is known of a run at a moment. */
export type Seen = {
  runningMs: number;
  silentMs: number;
  tokens: number;
  memoryMb: number | undefined;
  /** Of one processor. */
  processorPercent: number | undefined;
};

/** Tells which limit a run exceeds, and says it in words; undefined while it is within all. */
export function exceeded(limits: Limits, seen: Seen): { end_reason: Reason; error: string } | undefined {
  const { time_limit_ms, token_budget, silence_limit_ms, memory_limit_mb, cpu_limit_percent } = limits;
  if (time_limit_ms !== undefined && seen.runningMs >= time_limit_ms) {
    return { end_reason: 'time_limit', error: `It took longer than ${time_limit_ms / 1_000} s.` };
  }
  if (token_budget !== undefined && seen.tokens >= token_budget) {
    return { end_reason: 'token_limit', error: `It used ${seen.tokens} tokens of ${token_budget}.` };
  }
  if (silence_limit_ms !== undefined && seen.silentMs >= silence_limit_ms) {
    return { end_reason: 'silent', error: `It gave no sign of work for ${silence_limit_ms / 1_000} s.` };
  }
  if (memory_limit_mb !== undefined && (seen.memoryMb ?? 0) > memory_limit_mb) {
    return { end_reason: 'memory_limit', error: `It used ${seen.memoryMb} MB of ${memory_limit_mb}.` };
  }
  if (cpu_limit_percent !== undefined && (seen.processorPercent ?? 0) > cpu_limit_percent) {
    const error = `It used ${seen.processorPercent} % of a processor, of ${cpu_limit_percent}.`;
    return { end_reason: 'cpu_limit', error };
  }
  return undefined;
}
