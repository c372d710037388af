import { type Html, html } from '../html.ts';

export type Paged = { next_before?: string | undefined };

/** Links to the next rows, and from later ones back to the first. `at` names the cursor among the page's parameters. */
export function pageLinks(url: URL, at: string, { next_before }: Paged): Html | false {
  const to = (value: string | undefined) => {
    const search = new URLSearchParams(url.search);
    if (value === undefined) search.delete(at);
    else search.set(at, value);
    return `${url.pathname}?${search}`;
  };
  const isLater = url.searchParams.has(at);
  if (!isLater && next_before === undefined) return false;
  return html`<p class="more small">${isLater && html`<a href="${to(undefined)}">Back to the newest</a>`}
${next_before !== undefined && html`<a href="${to(next_before)}">Older ones</a>`}</p>`;
}
