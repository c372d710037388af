import { type Content, html } from '../html.ts';
import { page } from '../page.ts';

export type Message = { title: string; text: Content; status?: number; action?: { href: string; label: string } };

/** Shows one message, and the next step. */
export function messagePage({ title, text, status = 200, action }: Message): Response {
  return page({
    title,
    status,
    body: html`<h1>${title}</h1>
<p>${text}</p>
${action !== undefined && html`<p><a class="button" href="${action.href}">${action.label}</a></p>`}`,
  });
}
