import { html, name } from '../html.ts';
import { page } from '../page.ts';

/** Asks a signed-in person whether to join. */
export function invitationPage({ csrf, user }: { csrf: string; user: string }): Response {
  return page({
    title: 'Accept your invitation',
    user: name(user),
    body: html`<h1>Join the workspace?</h1>
<p class="soft">You were invited to a workspace. You would join it as ${name(user)}.</p>
<form method="post" action="/invite" class="stack"><input type="hidden" name="csrf" value="${csrf}">
<button class="main">Join</button>
<a class="button" href="/account">Not now</a></form>`,
  });
}
