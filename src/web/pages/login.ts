import { type Html, html, name } from '../html.ts';
import { page } from '../page.ts';

export type LoginView = {
  csrf: string;
  /** The next path, one of ours. */
  next: string;
  /** Tells whether signing in accepts an invitation. */
  invited: boolean;
  /** The ways to sign in that this server offers. */
  password: boolean;
  email: boolean;
  providers: readonly { id: string; name: string }[];
  wrong?: string | undefined;
};

export function loginPage(view: LoginView): Response {
  const ways = [
    view.password && passwordForm(view),
    view.email && emailForm(view),
    view.providers.length > 0 && providerLinks(view),
  ].filter((way) => way !== false);
  return page({
    title: 'Sign in',
    status: view.wrong === undefined ? 200 : 400,
    body: html`<h1>${view.invited ? 'Accept your invitation' : 'Sign in to Cairn'}</h1>
<p class="soft">${reason(view)}</p>
${wrong(view.wrong)}
${ways.map((way, index) => [index > 0 && html`<div class="or">or</div>`, way])}
${
  ways.length === 0 &&
  html`<p class="note">Nobody can sign in yet. Whoever runs this server sets the owner's password:<br><code>cairn auth owner set-password</code></p>`
}`,
  });
}

function reason({ invited, next }: LoginView): string {
  if (invited) return 'Sign in as the person who was invited, to join the workspace.';
  if (next.startsWith('/oauth/')) return 'A program asks for access. What it gets, you decide on the next page.';
  return 'To see which programs have access, and to end it.';
}

function wrong(message: string | undefined): Html | false {
  return message !== undefined && html`<div class="note wrong" role="alert"><strong>${message}</strong></div>`;
}

// Password managers save a password under a name, and see none in a field of the type hidden.
const OWNER = html`<input type="text" name="username" value="owner" autocomplete="username" aria-label="Account" readonly hidden>`;

function passwordForm(view: LoginView): Html {
  return html`<form method="post" action="/login">
${carried(view)}${OWNER}
<label for="password">Owner's password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="200"${autofocus(true)}>
<button class="main">Sign in</button>
</form>`;
}

function emailForm(view: LoginView): Html {
  return html`<form method="post" action="/login/email">
${carried(view)}
<label for="email">E-mail address <span class="hint">We send you a code that works once.</span></label>
<input id="email" name="email" type="email" autocomplete="email" required maxlength="320"${autofocus(!view.password)}>
<button class="${view.password ? '' : 'main'}">Send me a code</button>
</form>`;
}

/** Uses links, not forms: a policy on forms would have to name every page that a provider redirects to. */
function providerLinks({ providers, next }: LoginView): Html {
  return html`<div class="stack">${providers.map(
    (provider) =>
      html`<a class="button" href="/login/oidc/${provider.id}?next=${encodeURIComponent(next)}">Continue with ${provider.name}</a>`,
  )}</div>`;
}

function carried({ csrf, next }: Pick<LoginView, 'csrf' | 'next'>): Html {
  return html`<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="next" value="${next}">`;
}

function autofocus(wanted: boolean): Html | false {
  return wanted && html` autofocus`;
}

export type CodeView = Pick<LoginView, 'csrf' | 'next' | 'wrong'> & {
  email: string;
  /** False if too many codes were requested, so that the previous one counts. */
  isSent?: boolean;
};

/** Asks for the code of the e-mail; looks the same whether or not the address is known here. */
export function codePage(view: CodeView): Response {
  return page({
    title: 'Enter the code',
    status: view.wrong === undefined ? 200 : 400,
    body: html`<h1>Enter the code</h1>
<p class="soft">${
      view.isSent === false
        ? html`Many codes were asked for. If <strong>${name(view.email, 320)}</strong> may sign in here, the newest of the e-mails counts.`
        : html`If <strong>${name(view.email, 320)}</strong> may sign in here, an e-mail with a code is on its way.`
    }</p>
${wrong(view.wrong)}
<form method="post" action="/login/code">
${carried(view)}<input type="hidden" name="email" value="${view.email}">
<label for="code">Code</label>
<input id="code" class="digits" name="code" inputmode="numeric" autocomplete="one-time-code" required maxlength="12" pattern="[0-9 ]{6,12}" autofocus>
<button class="main">Sign in</button>
</form>
<p class="after small soft">No e-mail after a minute? <a href="/login?next=${encodeURIComponent(view.next)}">Start again</a>.</p>`,
  });
}

export type PasswordView = { csrf: string; code: string; minLength: number; wrong?: string | undefined };

/** Shows the form at a first run, or after a forgotten password: the holder of the link chooses a new one. */
export function passwordPage(view: PasswordView): Response {
  return page({
    title: 'Choose a password',
    status: view.wrong === undefined ? 200 : 400,
    body: html`<h1>Choose the owner's password</h1>
<p class="soft">You opened a link that works once. The password protects everything that agents keep here.</p>
${wrong(view.wrong)}
<form method="post" action="/login/owner">
<input type="hidden" name="csrf" value="${view.csrf}"><input type="hidden" name="code" value="${view.code}">
${OWNER}
<label for="password">New password <span class="hint">At least ${view.minLength} characters. Several words are easier to remember.</span></label>
<input id="password" name="password" type="password" autocomplete="new-password" required minlength="${view.minLength}" maxlength="200" autofocus>
<label for="repeated">The same again</label>
<input id="repeated" name="repeated" type="password" autocomplete="new-password" required minlength="${view.minLength}" maxlength="200">
<button class="main">Save and sign in</button>
</form>`,
  });
}
