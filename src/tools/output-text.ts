import type { Output } from '../services/output.ts';
import { amount, block, lines, named } from './render.ts';

/** Shows what a run printed. */
export function renderOutput({
  agent,
  run,
  attempt,
  attempts,
  ended,
  pieces,
  earlier,
  dropped_bytes,
  ...rest
}: Output): string {
  const which = attempts > 1 ? `, attempt ${attempt} of ${attempts}` : '';
  const parts: { stream: string; text: string }[] = [];
  for (const { stream, text } of pieces) {
    const last = parts.at(-1);
    if (last?.stream === stream) last.text += text;
    else parts.push({ stream, text });
  }
  return lines(
    `${named(agent)} (run ${run}${which}) ${ended ? 'has ended' : 'goes on'}.`,
    pieces.length === 0 && 'There is no output.',
    earlier && 'Earlier output is left out: after_sequence -1 reads from the beginning.',
    parts.map(({ stream, text }) => block(stream, text)),
    dropped_bytes !== undefined && `${amount(dropped_bytes, 'byte')} beyond what is kept of a run are lost.`,
    rest.next_sequence !== undefined && `More: pass after_sequence ${rest.next_sequence}`,
  );
}
