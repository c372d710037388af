import { shorten } from '../quote.ts';
import { valueIn } from '../records.ts';
import { cleanLine, leftOut, pathName } from '../text.ts';

const FIELDS_MAX = 5;
const FIELD_CHARACTERS_MAX = 200;

type Loss = { path: PropertyKey[]; what: string };

/** Reports for each argument the characters removed from its text, so that nothing is lost in silence. */
export function lossesOf(given: unknown, taken: unknown): string[] {
  const losses = [...findLosses(given, taken, [])];
  const told = losses.slice(0, FIELDS_MAX).map(({ path, what }) => `${what} left out of ${fieldOf(path)}.`);
  const more = losses.length - told.length;
  return more > 0 ? [...told, `The same goes for ${more} more texts.`] : told;
}

/** Names a field; the caller's own keys may be among the names. */
function fieldOf(path: PropertyKey[]): string {
  return shorten(cleanLine(pathName(path)), FIELD_CHARACTERS_MAX);
}

function* findLosses(given: unknown, taken: unknown, path: PropertyKey[]): Generator<Loss> {
  if (given === taken) return;
  if (typeof given === 'string') {
    const what = leftOut(given);
    if (what !== undefined) yield { path, what };
  } else if (typeof given === 'object' && given !== null) {
    for (const [key, item] of Object.entries(given)) {
      const within = [...path, Array.isArray(given) ? Number(key) : key];
      // A key that lost something has become another key.
      const lost = Array.isArray(given) ? undefined : leftOut(key);
      if (lost !== undefined) yield { path, what: lost };
      yield* findLosses(item, valueIn(taken, key), within);
    }
  }
}
