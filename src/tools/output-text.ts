import { named } from '../quote.ts';
import type { LeftOut } from '../services/output.ts';
import type { Output } from '../services/shown-output.ts';
import { block, byteSize, lines } from './render.ts';

/** Shows what a run printed. */
export function renderOutput({ agent, run, attempt, attempts, ended, earlier, ...rest }: Output): string {
  const which = attempts > 1 ? `, attempt ${attempt} of ${attempts}` : '';
  const parts = partsOf(rest);
  return lines(
    `${named(agent)} (run ${run}${which}) ${ended ? 'has ended' : 'goes on'}.`,
    parts.length === 0 && 'There is no output.',
    earlier && 'Earlier output is left out: after_sequence -1 reads from the beginning.',
    parts.map((part) => (typeof part === 'string' ? part : block(part.stream, part.text))),
    rest.next_sequence !== undefined && `More: pass after_sequence ${rest.next_sequence}`,
  );
}

type Part = { stream: string; text: string } | string;

/** Blocks of one stream each, and what was left out between them, or after all. */
function partsOf({ pieces, left_out, next_sequence }: Pick<Output, 'pieces' | 'left_out' | 'next_sequence'>): Part[] {
  const parts: Part[] = [];
  let after = (pieces[0]?.sequence ?? 0) - 1;
  for (const { sequence, stream, text } of pieces) {
    leaveOut({ after, below: sequence });
    after = sequence;
    const last = parts.at(-1);
    if (typeof last === 'object' && last.stream === stream) last.text += text;
    else parts.push({ stream, text });
  }
  if (next_sequence === undefined) leaveOut({ after, below: Number.POSITIVE_INFINITY });
  return parts;

  function leaveOut(between: { after: number; below: number }): void {
    const found = leftOutBetween(left_out, between);
    if (found !== undefined) parts.push(leftOutText(found));
  }
}

const WHY = {
  run: 'more than is kept of a run',
  day: 'more than the workspace may add in a day',
  lost: 'its runner was killed before it was sent',
};

/** Says that output is not there. */
export function leftOutText({ bytes, why }: { bytes: number; why: keyof typeof WHY }): string {
  return `… ${byteSize(bytes)} left out: ${WHY[why]} …`;
}

/** What was left out between two sequences; undefined where nothing was. */
export function leftOutBetween(
  places: readonly LeftOut[] = [],
  { after, below }: { after: number; below: number },
): { bytes: number; why: LeftOut['why'] } | undefined {
  const [first, ...more] = places.filter((place) => place.below > after + 1 && place.from < below);
  return first && { bytes: more.reduce((sum, { bytes }) => sum + bytes, first.bytes), why: first.why };
}
