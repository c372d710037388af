import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Session } from '@supabase/supabase-js';
import type { Config } from '../../config.ts';
import { authClient, type Project } from '../../db/supabase/client.ts';
import { authError, forgetSession, saveSession, sessionFile } from '../../db/supabase/session.ts';
import { DomainError } from '../../errors.ts';
import { mistyped } from '../mistyped.ts';
import { type JsonOption, printRemark, printResult } from '../terminal/output.ts';
import { Receiver } from './loopback.ts';

export type LoginOptions = JsonOption & { email?: string; provider?: string; browser: boolean };

type Auth = ReturnType<typeof authClient>;

const CODE_TRIES_MAX = 3;

/** `cairn login`: keeps a session with the Supabase project, for every process of this user. */
export async function runLogin(config: Config, options: LoginOptions): Promise<void> {
  const { email, provider } = options;
  const project = projectOf(config);
  if ((email === undefined) === (provider === undefined)) {
    throw mistyped(
      'Say how to sign in: --email ADDRESS or --provider NAME.',
      'With --email a code is sent there; with --provider a browser opens.',
    );
  }
  const auth = authClient(project);
  const session = await (email === undefined
    ? byBrowser(auth, String(provider), options)
    : byCode(auth, email, options));
  await saveSession(sessionFile(config.configDir, project.url), session);
  const { host } = new URL(project.url);
  printResult(
    { project: host, user: session.user.id, email: session.user.email },
    options,
    ({ user, email: address }) => [`Signed in to ${host} as ${address ?? user}.`],
  );
}

/** `cairn logout`: ends the session here, and on the server if it can be reached. */
export async function runLogout(config: Config, options: JsonOption): Promise<void> {
  const project = projectOf(config);
  const stored = await forgetSession(sessionFile(config.configDir, project.url));
  const done = { signed_out: stored !== null, server_told: stored !== null };
  if (stored !== null) {
    const { error } = await authClient(project).admin.signOut(stored.access_token, 'local');
    done.server_told = error === null;
  }
  printResult(done, options, ({ signed_out, server_told }) => {
    if (!signed_out) return ['Nobody is signed in.'];
    return [server_told ? 'Signed out.' : 'Signed out on this machine; the server was not told.'];
  });
}

function projectOf({ supabaseUrl, supabasePublishableKey }: Config): Project {
  if (supabaseUrl !== undefined && supabasePublishableKey !== undefined) {
    return { url: supabaseUrl, key: supabasePublishableKey };
  }
  throw new DomainError('invalid_input', 'Signing in needs SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY.', {
    hint: 'Both are shown under Connect in the dashboard of the project.',
  });
}

/** Authorization code with PKCE, received on a loopback address (RFC 8252, section 7.3). */
async function byBrowser(auth: Auth, provider: string, options: LoginOptions): Promise<Session> {
  const receiver = await Receiver.listen();
  try {
    const { data, error } = await auth.signInWithOAuth({
      provider: provider as 'github',
      options: { redirectTo: receiver.url, skipBrowserRedirect: true },
    });
    if (error !== null || data.url === null) throw authError(error, 'The sign-in could not begin.');
    printRemark(`Sign in at\n  ${data.url}`, options);
    if (options.browser) openBrowser(data.url);
    const exchanged = await auth.exchangeCodeForSession(await receiver.code);
    if (exchanged.error !== null) throw authError(exchanged.error, 'The sign-in was refused.');
    return exchanged.data.session;
  } finally {
    receiver.close();
  }
}

async function byCode(auth: Auth, email: string, options: LoginOptions): Promise<Session> {
  const { error } = await auth.signInWithOtp({ email });
  if (error !== null) throw authError(error, 'No code could be sent.');
  printRemark(`A code was sent to ${email}.`, options);
  const lines = createInterface({ input: process.stdin });
  try {
    return await verifyTyped(lines, options, (token) => auth.verifyOtp({ email, token, type: 'email' }));
  } finally {
    lines.close();
  }
}

async function verifyTyped(
  lines: AsyncIterable<string>,
  { json }: JsonOption,
  verify: (token: string) => ReturnType<Auth['verifyOtp']>,
): Promise<Session> {
  const screen = json ? process.stderr : process.stdout;
  let tries = 0;
  screen.write('Code: ');
  for await (const line of lines) {
    const { data, error } = await verify(line.trim());
    if (data.session !== null) return data.session;
    tries += 1;
    const failure = authError(error, 'The code was refused.');
    if (failure.code !== 'unauthenticated' || tries === CODE_TRIES_MAX) throw failure;
    screen.write('That code is wrong or too old.\nCode: ');
  }
  throw new DomainError('invalid_input', 'No code was given.', { hint: 'Run `cairn login` in a terminal.' });
}

/** Opens the browser. The address has been printed, so nothing is lost if none opens. */
function openBrowser(url: string): void {
  const program = { win32: 'rundll32', darwin: 'open' }[String(process.platform)] ?? 'xdg-open';
  const args = process.platform === 'win32' ? ['url.dll,FileProtocolHandler'] : [];
  const child = spawn(program, [...args, url], { stdio: 'ignore', detached: true, windowsHide: true });
  child.on('error', () => {}).unref();
}
