import { clean, cleanName } from '../text.ts';

/** Safe markup. Only `html` makes it, so that no text becomes markup by accident. */
export class Html {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

export type Content = string | number | Html | readonly Content[] | null | undefined | false;

const ENTITIES: Readonly<Record<string, string>> = Object.freeze({
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
});

/**
 * Makes a template whose values are text, safe between tags and in quoted attributes, and cannot reorder the text
 * around them, in attributes either; null, undefined and false are left out.
 */
export function html(strings: TemplateStringsArray, ...values: Content[]): Html {
  return new Html(String.raw({ raw: strings }, ...values.map(render)));
}

function render(content: Content): string {
  if (content instanceof Html) return content.source;
  if (Array.isArray(content)) return content.map(render).join('');
  if (content === null || content === undefined || content === false) return '';
  return clean(String(content)).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/** Formats a stranger's chosen name: one line, cut, isolated from the direction of the text around it. */
export function name(value: string, lengthMax = 100): Html {
  const shown = Array.from(cleanName(value, lengthMax + 1));
  const cut = shown.length > lengthMax ? `${shown.slice(0, lengthMax - 1).join('')}…` : shown.join('');
  return html`<bdi>${cut === '' ? 'unnamed' : cut}</bdi>`;
}

/** Formats a moment for people and machines; in UTC, since the server does not know the reader's zone. */
export function time(moment: string | Date): Html {
  return timed(moment, (iso) => `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`);
}

/** Formats the day of a moment, if the hour does not matter. */
export function day(moment: string | Date): Html {
  return timed(moment, (iso) => iso.slice(0, 10));
}

/** Formats a date; anything else stays as it is, because a page tells more with it than an error would. */
function timed(moment: string | Date, shown: (iso: string) => string): Html {
  const date = new Date(moment);
  if (Number.isNaN(date.valueOf())) return html`${String(moment)}`;
  const iso = date.toISOString();
  return html`<time datetime="${iso}">${shown(iso)}</time>`;
}
