import type { Workspace } from '../../auth/store.ts';
import type { Connection } from '../../services/access.ts';
import { html, name } from '../html.ts';
import { page } from '../page.ts';
import { connectionList } from './connections.ts';
import { navigation } from './navigation.ts';

export type AccountView = {
  csrf: string;
  user: string;
  workspaces: readonly (Workspace & { connections: readonly Connection[] })[];
  notice?: string | undefined;
};

/** A person's own connections, in each workspace. */
export function accountPage({ csrf, user, workspaces, notice }: AccountView): Response {
  const fields = html`<input type="hidden" name="csrf" value="${csrf}">`;
  return page({
    title: 'Your connections',
    user: name(user),
    wide: true,
    body: html`${navigation('account', workspaces)}
${notice !== undefined && html`<p class="note" role="status">${notice}</p>`}
<section><h1>Your connections</h1>
<p class="soft">Programs that may act for you. One that you end is refused at its next request.</p></section>
${workspaces.map(
  (workspace) => html`<section><h2>${name(workspace.name)}</h2>
<p class="small soft">You are ${workspace.role} here.</p>
${connectionList(workspace.connections, {
  action: '/account/revoke',
  fields: html`${fields}<input type="hidden" name="workspace" value="${workspace.tenant_id}">`,
  showUser: false,
})}</section>`,
)}
<section><h2>This browser</h2>
<p class="small soft">Signing out ends no connection.</p>
<div class="row">
<form method="post" action="/logout">${fields}<button class="inline">Sign out</button></form>
<form method="post" action="/logout">${fields}<button class="inline" name="everywhere" value="yes">Sign out of all browsers</button></form>
</div></section>`,
  });
}
