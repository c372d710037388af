import type { Config } from '../config.ts';
import { Search, search } from '../services/search.ts';
import { fromNow, table } from './format.ts';
import { answer, type JsonOption, paint } from './paint.ts';
import { asPerson, parseGiven } from './person.ts';

export type SearchOptions = JsonOption & { kind?: string[]; limit: number };

/** `cairn search WORDS`: everything that was written down, best first. */
export async function runSearch(config: Config, words: string[], options: SearchOptions): Promise<void> {
  const input = parseGiven(Search, { query: words.join(' '), kinds: options.kind, page_size: options.limit });
  const { hits } = await asPerson(config, (ctx) => search(ctx, input));
  answer({ hits }, options, () =>
    hits.length === 0
      ? ['Nothing found. Try fewer or other words.']
      : table(hits, [
          { heading: 'KIND', text: ({ kind }) => kind, style: (text) => paint('dim', text) },
          { heading: 'REF', text: ({ ref = '' }) => ref, style: (text) => paint('bold', text) },
          { heading: 'TITLE', text: ({ title }) => title, flexible: true },
          { heading: 'WHEN', text: ({ at }) => fromNow(at), style: (text) => paint('dim', text) },
          { heading: 'FOUND', text: ({ snippet }) => snippet.replace(/\s+/g, ' '), style: highlight, flexible: true },
        ]),
  );
}

/** The words that were found stand between asterisks. */
function highlight(snippet: string): string {
  return snippet.replace(/\*\*(.+?)\*\*/g, (_, word: string) => paint('bold', word));
}
