import type { Connection } from '../../services/access.ts';
import { SCOPES } from '../../tools/catalog.ts';
import { type Content, day, type Html, html, name, time } from '../html.ts';

/** Lists programs that have access, each with a button that ends it. `fields` are added to each form. */
export function connectionList(connections: readonly Connection[], { action, fields, showUser }: ListOptions): Html {
  if (connections.length === 0) return html`<p class="soft">No program has access.</p>`;
  return html`<ul class="list">${connections.map(
    (connection) => html`<li><div class="what">${connectionFacts(connection, showUser)}</div>
<form method="post" action="${action}">${fields}<input type="hidden" name="id" value="${connection.id}">
<button class="inline bad" aria-label="End the access of ${connection.client}">End access</button></form></li>`,
  )}</ul>`;
}

type ListOptions = { action: string; fields: Content; showUser: boolean };

function connectionFacts(connection: Connection, showUser: boolean): Html {
  const { client, client_kind, redirect_host, user, scope, project, agent } = connection;
  const { created_at, last_used_at, last_used_ip, expires_at } = connection;
  return html`<h3>${name(client)} ${tag(client_kind)}</h3>
<div class="small soft">${showUser && html`for <strong>${name(user)}</strong> · `}${scopeWords(scope)}${
    agent !== undefined && html` as <strong>${name(agent)}</strong> alone`
  }${
    project !== undefined && html` in <strong>${name(project)}</strong> alone`
  }${redirect_host !== undefined && html` · answers to <span class="code">${name(redirect_host)}</span>`}</div>
<div class="small soft">${
    last_used_at === undefined ? 'Never used' : html`Last used ${time(last_used_at)}`
  }${last_used_ip !== undefined && html` from <span class="code">${last_used_ip}</span>`}</div>
<div class="small soft">Since ${day(created_at)}, until ${day(expires_at)} at the latest</div>`;
}

function tag(kind: Connection['client_kind']): Html | false {
  switch (kind) {
    case 'dcr':
      return html`<span class="tag warn">self-registered</span>`;
    case 'cimd':
      return html`<span class="tag">verified host</span>`;
    case 'pat':
      return html`<span class="tag">personal token</span>`;
    case 'static':
      return html`<span class="tag">added by an administrator</span>`;
    default:
      return false;
  }
}

// Each right includes reading.
const RIGHTS = [
  ['run', 'runs'],
  ['send', 'commands'],
  ['write', 'changes'],
  ['read', 'reads'],
] as const;
const KINDS = SCOPES.flatMap((scope) => (scope.endsWith(':read') ? [scope.slice(0, -':read'.length)] : []));

/** Describes the scopes of a grant in a few words. */
function scopeWords(scope: string): string {
  const scopes = new Set(scope.split(' '));
  const kinds = KINDS.map((kind) => {
    const granted = RIGHTS.filter(([right]) => scopes.has(`${kind}:${right}`));
    const told = granted.length === 1 ? granted : granted.filter(([right]) => right !== 'read');
    return told.length === 0 ? '' : `${told.map(([, words]) => words).join(' and ')} ${kind}`;
  });
  return [...kinds, scopes.has('admin') ? 'administers' : ''].filter((words) => words !== '').join(', ');
}
