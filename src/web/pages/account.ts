import type { Workspace } from '../../auth/answers.ts';
import { askableScopes, BASELINE } from '../../auth/scopes.ts';
import type { Connection } from '../../services/access.ts';
import { scopeWords } from '../../tools/catalog.ts';
import { type Html, html, name } from '../html.ts';
import { page } from '../page.ts';
import { connectSection } from './connect.ts';
import { connectionList } from './connections.ts';
import { administers, navigation } from './navigation.ts';
import { type Paged, pageLinks } from './page-links.ts';

type WorkspaceView = Workspace & Paged & { connections: readonly Connection[] };

export type AccountView = {
  csrf: string;
  url: URL;
  user: string;
  /** The address by which programs reach this server. */
  endpoint: URL;
  workspaces: readonly WorkspaceView[];
  /** Tells whether personal tokens can be made here, or after signing in again. */
  tokens: 'offered' | 'sign_in' | 'none';
  notice?: string | undefined;
  /** Shown once: the personal access token just made. */
  token?: string | undefined;
};

/** Names the query parameter that holds a workspace's cursor. */
export function cursorOf({ tenant_id }: Pick<Workspace, 'tenant_id'>): string {
  return `before-${tenant_id}`;
}

/** Shows a person's own connections, in each workspace. */
export function accountPage(view: AccountView): Response {
  const { csrf, url, user, workspaces, notice, token, endpoint } = view;
  const fields = html`<input type="hidden" name="csrf" value="${csrf}">`;
  return page({
    title: 'Your connections',
    user: name(user),
    wide: true,
    body: html`${navigation('account', workspaces)}
${notice !== undefined && html`<p class="note" role="status">${notice}</p>`}
${
  token !== undefined &&
  html`<div class="note" role="status"><strong>Copy your token now.</strong> It is shown only this once. Send it as <code>Authorization: Bearer</code>.<br><code>${token}</code></div>`
}
<section><h1>Your connections</h1>
<p class="soft">Programs that may act for you. One that you end is refused at its next request.</p></section>
${workspaces.map(
  (workspace) => html`<section><h2>${name(workspace.name)}</h2>
<p class="small soft">You are ${workspace.role} here.</p>
${connectionList(workspace.connections, {
  action: '/account/revoke',
  fields: html`${fields}<input type="hidden" name="workspace" value="${workspace.tenant_id}">`,
  showUser: false,
})}${pageLinks(url, cursorOf(workspace), workspace)}</section>`,
)}
${workspaces.every(({ connections }) => connections.length === 0) && connectSection(endpoint)}
${tokenSection(view)}
<section><h2>This browser</h2>
<p class="small soft">Signing out ends no connection.</p>
<div class="row">
<form method="post" action="/logout">${fields}<button class="inline">Sign out</button></form>
<form method="post" action="/logout">${fields}<button class="inline" name="everywhere" value="yes">Sign out of all browsers</button></form>
</div></section>`,
  });
}

function tokenSection({ csrf, tokens, workspaces }: AccountView): Html | false {
  if (tokens === 'none') return false;
  const heading = html`<h2>A personal access token</h2>
<p class="small soft">For a program that cannot open a browser. It acts for you and is listed above, where you can end it.</p>`;
  if (tokens === 'sign_in') {
    return html`<section>${heading}
<p class="after small">It is made by who has just signed in. <a href="/login?next=%2Faccount&amp;again=1">Sign in again</a></p></section>`;
  }
  return html`<section>${heading}
<form method="post" action="/account/tokens" class="after"><input type="hidden" name="csrf" value="${csrf}">
<div class="row fields"><div><label for="token-name">Name</label>
<input id="token-name" name="name" required maxlength="100" autocomplete="off" placeholder="What it is for"></div>
<div><label for="token-days">Ends after</label>
<select id="token-days" name="days"><option value="7">7 days</option><option value="30" selected>30 days</option><option value="90">90 days</option><option value="366">a year</option></select></div>
${workspaceField(workspaces)}
<div><label for="token-project">In one project alone</label>
<input id="token-project" name="project" maxlength="80" autocomplete="off" placeholder="No, in all"></div></div>
<fieldset><legend>It may</legend>
${askableScopes({ allowAdmin: workspaces.some(administers) }).map(
  (
    scope,
  ) => html`<label class="choice"><input type="checkbox" name="scope" value="${scope}"${BASELINE.includes(scope) && scope.endsWith(':read') && html` checked`}>
<span>${scopeWords(scope)} <span class="hint"><code>${scope}</code></span></span></label>`,
)}</fieldset>
<button class="main inline">Make a token</button></form></section>`;
}

function workspaceField(workspaces: readonly Workspace[]): Html {
  const [only] = workspaces;
  if (workspaces.length === 1 && only !== undefined) {
    return html`<input type="hidden" name="workspace" value="${only.tenant_id}">`;
  }
  return html`<div><label for="token-workspace">Workspace</label>
<select id="token-workspace" name="workspace">${workspaces.map(
    (workspace) => html`<option value="${workspace.tenant_id}">${workspace.name}</option>`,
  )}</select></div>`;
}
