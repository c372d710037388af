import type { ConsentView } from '../../auth/server/views.ts';
import { type Html, html, name } from '../html.ts';
import { page } from '../page.ts';

type Client = ConsentView['client'];

/** Asks the signed-in person whether a program may act for them, where, and with which scopes. */
export function consentPage(view: ConsentView): Response {
  const { client, redirect, user } = view;
  return page({
    title: 'Allow access',
    user: name(user.name),
    formTargets: [redirect.form_action],
    body: html`<h1>Allow ${name(client.client_name)} to act for you?</h1>
<dl class="facts">
<div><dt>Who asks</dt><dd>${whoAsks(client)}</dd></div>
<div><dt>Where the answer goes</dt><dd><strong class="code">${name(redirect.shown, 300)}</strong>${
      redirect.local && html`<span class="hint">A program on the device that you are using now.</span>`
    }</dd></div>
</dl>
${caution(view)}
<form method="post" action="/oauth/consent">
<input type="hidden" name="csrf" value="${view.csrf}"><input type="hidden" name="request" value="${view.request}">
${workspaceChoice(view.workspaces)}
<fieldset><legend>It may <span class="hint">Untick what it should not do. With only what reads, it can change nothing.</span></legend>
${view.scopes.map(scopeChoice)}
</fieldset>
<div class="stack">
<button class="main" name="decision" value="allow">Allow</button>
<button name="decision" value="deny" formnovalidate>Refuse</button>
</div>
</form>
<p class="after small soft">You are signed in as ${name(user.email ?? user.name)}. What you allow you can end at any time, under <a href="/account">your connections</a>.</p>`,
  });
}

function whoAsks({ client_name, client_id, identified, host }: Client): Html {
  const called = html`<strong>${name(client_name)}</strong>`;
  switch (identified) {
    case 'cimd':
      return html`${called} <span class="tag">verified host</span>
<span class="hint">${name(host ?? client_id)} vouches for this name, and for where the answer goes.</span>`;
    case 'static':
      return html`${called} <span class="tag">added by an administrator</span>`;
    case 'dcr':
      return html`${called} <span class="tag warn">self-registered</span>
<span class="hint">It gave itself this name. Nobody has verified it.</span>`;
  }
}

function caution({ client, redirect }: ConsentView): Html {
  if (!redirect.local) {
    return html`<p class="note">Allow this only if you have just asked ${name(client.client_name)} to connect.</p>`;
  }
  return html`<p class="note warn"><strong>Have you just started this yourself?</strong> Any program on this device can ask in the name of
${name(client.client_name)}. If you were not about to connect it, refuse.</p>`;
}

function workspaceChoice(workspaces: ConsentView['workspaces']): Html {
  const [only] = workspaces;
  if (workspaces.length === 1 && only !== undefined) {
    return html`<fieldset><legend>In the workspace</legend><input type="hidden" name="tenant_id" value="${only.tenant_id}">
${name(only.name)} <span class="soft small">(you are ${only.role})</span></fieldset>`;
  }
  // None is preselected: the personal one is rarely meant if there is another.
  return html`<fieldset><legend>In which workspace?</legend>
${workspaces.map(
  (
    workspace,
  ) => html`<label class="choice"><input type="radio" name="tenant_id" value="${workspace.tenant_id}" required>
<span>${name(workspace.name)} <span class="hint">You are ${workspace.role} there.</span></span></label>`,
)}</fieldset>`;
}

function scopeChoice({ scope, description, checked }: ConsentView['scopes'][number]): Html {
  return html`<label class="choice"><input type="checkbox" name="scope" value="${scope}"${checked && html` checked`}>
<span>${description} <span class="hint"><code>${scope}</code></span></span></label>`;
}
