import { cairnHere } from './cairn-here.ts';
import { freePort } from './free-port.ts';
import { type Serving, startServing } from './serve.ts';
import { Browser, PASSWORD } from './web.ts';

/** `cairn serve --auth` as people run it; the owner's password is PASSWORD. */
export type AuthServing = Serving & {
  origin: string;
  mcp: URL;
  /** The owner, signed in. */
  signIn(): Promise<Browser>;
};

type Given = { dataDir: string; flags?: string[]; env?: NodeJS.ProcessEnv };

export async function startAuthServing({ dataDir, flags = [], env = {} }: Given): Promise<AuthServing> {
  const port = await freePort();
  const serving = await startServing(['--auth', '--port', String(port), '--data-dir', dataDir, ...flags], env);
  const set = await cairnHere(['auth', 'owner', 'set-password', '--data-dir', dataDir], { input: `${PASSWORD}\n` });
  if (set.code !== 0) throw new Error(set.stderr);
  return {
    ...serving,
    origin: serving.url.origin,
    mcp: serving.url,
    async signIn() {
      const browser = new Browser(serving);
      await browser.open('/login');
      const shown = await browser.submit('/login', { password: PASSWORD });
      if (shown.url.pathname !== '/account') throw new Error(`not signed in: ${shown.status} ${shown.url.pathname}`);
      return browser;
    },
  };
}

/** Says yes on the consent page that a program's address leads to: where the browser is sent with the code. */
export async function allow(browser: Browser, url: URL, scope = ['projects:write', 'tasks:write']): Promise<URL> {
  const page = await browser.open(url);
  if (page.url.pathname !== '/oauth/consent') throw new Error(`no consent page: ${page.status} ${page.url.pathname}`);
  return (await browser.submit('/oauth/consent', { decision: 'allow', scope })).url;
}
