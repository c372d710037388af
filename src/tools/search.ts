import { named, quote } from '../quote.ts';
import { Hits, Search, search as searchProjects } from '../services/search.ts';
import { projects } from './projects.ts';
import { lines, nextPage, time } from './render.ts';
import { toolset } from './tool.ts';

export const search = toolset(
  'search',
  {
    purpose: 'full text over everything',
    description: 'Finding what was written down.',
    scopes: projects.scopes,
  },
  {
    search: {
      title: 'Search',
      description: 'Search all that was written down; output if on.',
      effect: 'read',
      input: Search,
      output: Hits,
      run: searchProjects,
      render: ({ hits, next_cursor, not_shown }) =>
        lines(
          hits.length === 0 && 'Nothing found. Try fewer or other words.',
          hits.map(
            ({ kind, ref, id, title, unproven, by, at, snippet }) =>
              `${kind} ${ref ?? id} ${quote(title)}${unproven ? ' unproven' : ''}${by ? ` by ${named(by)}` : ''}, ${time(at)}: ${quote(snippet)}${kind === 'output' ? `. All of it: get_output run:${id}` : ''}`,
          ),
          nextPage(next_cursor),
          not_shown,
        ),
    },
  },
);
