import type { DomainError } from '../errors.ts';
import { isId } from '../events/ids.ts';
import { mistyped } from './mistyped.ts';

// Ids that were made in one minute begin alike.
const SHORT_ID = 8;
const END_MIN = 4;
const ENDS_SHOWN = 5;

/** The end of an id, as lists show it. */
export function shortId(id: string): string {
  return id.slice(-SHORT_ID);
}

type Lists<Item> = { each: readonly (() => Promise<Item[]>)[]; notFound(): DomainError };

/** Finds what an id or the end of it names, in the first of these lists that has it. Raises not_found, invalid_input. */
async function findByEnd<Item extends { id: string }>(given: string, { each, notFound }: Lists<Item>): Promise<Item> {
  const end = given.toLowerCase();
  for (const read of each) {
    const [found, ...others] = (await read()).filter(({ id }) => end.length >= END_MIN && id.endsWith(end));
    if (found !== undefined && others.length === 0) return found;
    if (found !== undefined) {
      const ends = [found, ...others].map(({ id }) => shortId(id)).slice(0, ENDS_SHOWN);
      throw mistyped(`${others.length + 1} ids end like ${end}: ${ends.join(', ')}.`, 'Give more of it.');
    }
  }
  throw notFound();
}

/** Completes the end of an id; a whole one is for the database to judge. */
export async function wholeId(given: string, lists: Lists<{ id: string }>): Promise<string> {
  return isId(given) ? given : (await findByEnd(given, lists)).id;
}
