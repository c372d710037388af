import type { Role, Workspace } from '../../auth/answers.ts';
import { type AuthEvent, type Connection, type MemberList, ROLES } from '../../services/access.ts';
import { day, type Html, html, name, time } from '../html.ts';
import { page } from '../page.ts';
import { activity } from './activity.ts';
import { connectionList } from './connections.ts';
import { navigation } from './navigation.ts';
import { type Paged, pageLinks } from './page-links.ts';

export type AdminView = {
  csrf: string;
  /** The address of this page, with the workspace. */
  url: URL;
  user: string;
  workspaces: readonly Workspace[];
  workspace: Workspace;
  connections: Paged & { connections: readonly Connection[] };
  members: MemberList['members'];
  invitations: MemberList['invitations'];
  events: Paged & { events: readonly AuthEvent[] };
  notice?: string | undefined;
  /** Shown once: the link of the invitation just made. */
  link?: string | undefined;
};

/** Shows who has access to a workspace, and how to end it. */
export function adminPage(view: AdminView): Response {
  const { workspace, notice, link } = view;
  return page({
    title: workspace.name,
    user: name(view.user),
    wide: true,
    body: html`${navigation(workspace.tenant_id, view.workspaces)}
${notice !== undefined && html`<p class="note" role="status">${notice}</p>`}
${
  link !== undefined &&
  html`<div class="note" role="status"><strong>Send this link to the person you invited.</strong> It works once, and is shown only now.<br><code>${link}</code></div>`
}
<section><h1>Access to ${name(workspace.name)}</h1>
<p class="soft">Every program that may act here, and for whom. One that you end is refused at its next request.</p>
${connectionList(view.connections.connections, { action: '/admin/revoke', fields: fieldsOf(view), showUser: true })}
${pageLinks(view.url, 'connections', view.connections)}</section>
${clientSection(view)}
${memberSection(view)}
${invitationSection(view)}
${eventSection(view)}`,
  });
}

function fieldsOf({ csrf, workspace }: AdminView): Html {
  return html`<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="workspace" value="${workspace.tenant_id}">`;
}

function clientSection(view: AdminView): Html | false {
  const clients = new Map<string, Connection[]>();
  for (const connection of view.connections.connections) {
    clients.set(connection.client_id, [...(clients.get(connection.client_id) ?? []), connection]);
  }
  const several = [...clients].filter(([client, connections]) => client !== 'pat' && connections.length > 1);
  return (
    several.length > 0 &&
    html`<section><h2>Programs with several connections</h2>
<ul class="list">${several.map(
      ([client, connections]) => html`<li><div class="what"><h3>${name(connections[0]?.client ?? client)}</h3>
<div class="small soft">${connections.length} connections</div></div>
<form method="post" action="/admin/revoke">${fieldsOf(view)}<input type="hidden" name="client_id" value="${client}">
<button class="inline bad" aria-label="End all connections of ${connections[0]?.client ?? client}">End all</button></form></li>`,
    )}</ul></section>`
  );
}

function memberSection(view: AdminView): Html {
  return html`<section><h2>Members</h2>
<ul class="list">${view.members.map((member) => html`<li>${memberRow(view, member)}</li>`)}</ul></section>`;
}

function memberRow(
  view: AdminView,
  { user_id, name: called, email, role, since, connections }: MemberList['members'][number],
): Html {
  const fields = html`${fieldsOf(view)}<input type="hidden" name="user_id" value="${user_id}">`;
  return html`<div class="what"><h3>${name(called)}</h3>
<div class="small soft">${email !== undefined && html`${name(email, 320)} · `}${connections} ${connections === 1 ? 'connection' : 'connections'} · since ${day(since)}</div></div>
<div class="actions"><form method="post" action="/admin/members" class="actions">${fields}
<select class="inline" name="role" aria-label="Role of ${called}">${rolesFor(view, role).map(
    (option) => html`<option${option === role && html` selected`}>${option}</option>`,
  )}</select>
<button class="inline" name="do" value="change">Change</button></form>
${connections > 0 && html`<form method="post" action="/admin/revoke">${fields}<button class="inline bad" aria-label="End all connections of ${called}">End all</button></form>`}
<form method="post" action="/admin/members">${fields}<button class="inline bad" name="do" value="remove" aria-label="Remove ${called}">Remove</button></form></div>`;
}

/** Lists roles to choose: only an owner makes owners; a current role is always shown. */
function rolesFor({ workspace }: AdminView, current: Role): readonly Role[] {
  return ROLES.filter((role) => role !== 'owner' || workspace.role === 'owner' || current === 'owner');
}

function invitationSection(view: AdminView): Html {
  const fields = fieldsOf(view);
  return html`<section><h2>Invite somebody</h2>
<p class="small soft">Nobody else can sign up. The link works once, for seven days.</p>
<form method="post" action="/admin/invitations" class="row">${fields}
<div><label for="email">E-mail address <span class="hint">Optional. Then it works for that address alone.</span></label>
<input id="email" name="email" type="email" maxlength="320" autocomplete="off"></div>
<div><label for="role">Role</label>
<select id="role" name="role"><option>member</option><option>viewer</option><option>admin</option></select></div>
<button class="main" name="do" value="invite">Make a link</button></form>
${
  view.invitations.length > 0 &&
  html`<ul class="list">${view.invitations.map(
    (
      invitation,
    ) => html`<li><div class="what"><h3>${invitation.email === undefined ? 'Whoever has the link' : name(invitation.email, 320)}</h3>
<div class="small soft">as ${invitation.role}, until ${day(invitation.expires_at)}</div></div>
<form method="post" action="/admin/invitations">${fields}<input type="hidden" name="invitation" value="${invitation.id}">
<button class="inline bad" name="do" value="withdraw">Withdraw</button></form></li>`,
  )}</ul>`
}</section>`;
}

function eventSection({ url, events }: AdminView): Html {
  return html`<section><h2>What happened lately</h2>
<ul class="list">${events.events.map((event) => html`<li>${eventRow(event)}</li>`)}</ul>${pageLinks(url, 'events', events)}</section>`;
}

/** Formats an event; it names the person once, in the sentence or after it. */
function eventRow(event: AuthEvent): Html {
  const told = activity(event);
  const person = event.user === undefined ? undefined : name(event.user);
  return html`<div class="what">${told}
<div class="small soft">${time(event.at)}${person !== undefined && !told.source.includes(person.source) && html` · ${person}`}${
    event.ip !== undefined && html` · from <span class="code">${event.ip}</span>`
  }</div></div>`;
}
