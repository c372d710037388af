import type { Config } from '../../config.ts';
import { type Hits, Search } from '../../services/search.ts';
import { search } from '../../tools/search.ts';
import { inLocalContext, parseGiven, perform } from '../local-context.ts';
import { shortId } from '../short-id.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';

const CHARACTERS_BEFORE = 16;

export type SearchOptions = JsonOption & { kind?: string[]; limit: number };

/** `cairn search WORDS`: searches all text, best match first. */
export async function runSearch(config: Config, words: string[], options: SearchOptions): Promise<void> {
  const input = parseGiven(Search, { query: words.join(' '), kinds: options.kind, page_size: options.limit });
  const { hits } = await inLocalContext(config, (ctx) => perform(ctx, search.commands.search, input));
  printResult({ hits }, options, () =>
    hits.length === 0
      ? ['Nothing found. Try fewer or other words.']
      : [
          ...table(hits, [
            { heading: 'KIND', text: ({ kind }) => kind, style: (text) => styled('dim', text) },
            {
              heading: 'REF',
              text: ({ kind, id, ref = kind === 'output' ? shortId(id) : '' }) => ref,
              style: (text) => styled('bold', text),
            },
            {
              heading: 'TITLE',
              text: ({ title, unproven }) => (unproven ? `${title} (unproven)` : title),
              flexible: true,
            },
            { heading: 'WHEN', text: ({ at }) => fromNow(at), style: (text) => styled('dim', text) },
            {
              heading: 'FOUND',
              text: ({ snippet }) => around(snippet.replace(/\s+/g, ' ')),
              style: highlight,
              flexible: true,
            },
          ]),
          ...readOn(hits),
        ],
  );
}

/** Says how to read what runs printed, of which a hit shows an excerpt. */
function readOn(hits: Hits['hits']): string[] {
  const commands = hits.flatMap(({ read_on }) => read_on ?? []);
  return commands.map((read) => `Read on: ${read}`);
}

/** Starts a line shortly before the first match on a terminal, which shows only its beginning. */
function around(line: string): string {
  const from = process.stdout.isTTY ? line.lastIndexOf(' ', line.indexOf('**') - CHARACTERS_BEFORE) : -1;
  return from < 0 ? line : `…${line.slice(from + 1)}`;
}

/** Marks the matches, which stand between asterisks; the end of the line may have cut off the second one. */
function highlight(snippet: string): string {
  return snippet.replace(/\*\*(.+?)(?:\*\*|(?=\*?…?$))\*?/g, (_, word: string) => styled('bold', word));
}
