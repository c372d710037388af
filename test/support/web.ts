import { Hono } from 'hono';
import type { RouteEnv } from '../../src/auth/access.ts';
import { createLoginLink } from '../../src/auth/login/owner.ts';
import { mintSecret } from '../../src/auth/secrets.ts';
import { authStore, type Identity, type Person, type Store } from '../../src/auth/store.ts';
import { blobStores } from '../../src/blobs/open.ts';
import { publicUrlOf, readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { serveHttp } from '../../src/server/http/server.ts';
import { createCookies } from '../../src/web/cookies.ts';
import { createWebRoutes } from '../../src/web/routes.ts';
import { waysIn } from '../../src/web/web.ts';
import { ask } from './ask.ts';
import { freePort } from './free-port.ts';
import { createScratch, type Scratch } from './scratch.ts';

export type TestWeb = {
  url: URL;
  scratch: Scratch;
  store: Store;
  owner: Required<Pick<Person, 'user_id' | 'tenant_id'>>;
  /** A link by which the owner chooses a password. */
  loginLink(): Promise<URL>;
  /** A session of somebody who signed in elsewhere. */
  session(identity: Identity): Promise<{ user_id: string; cookie: [name: string, value: string] }>;
  close(): Promise<void>;
};

/** The pages over real HTTP, on a database of their own. */
export async function startWeb(env: NodeJS.ProcessEnv = {}, given?: Scratch): Promise<TestWeb> {
  const scratch = given ?? (await createScratch());
  const log = createLog('silent');
  const config = { ...readConfig({ output: 'both' }, env), port: await freePort(), auth: true };
  const store = authStore(scratch.db);
  const identity = { issuer: 'local', subject: 'owner', name: 'ada' };
  const owner = await ask<TestWeb['owner']>({ db: scratch.db, actor: { user_id: '' } }, 'sign_in', { identity });
  const publicUrl = publicUrlOf(config);
  const cookies = createCookies(publicUrl);
  const parts = {
    db: scratch.db,
    blobs: blobStores(config),
    store,
    log,
    publicUrl,
    cookies,
    owner,
    makesTokens: true,
    ...waysIn(config),
  };
  const refused = async () => new Response(null, { status: 401 });
  const server = await serveHttp({
    config,
    log,
    db: scratch.db,
    access: {
      authenticate: refused,
      challenge: () => new Response(null, { status: 403 }),
      routes: new Hono<RouteEnv>().route('/', createWebRoutes(parts)),
    },
  });
  return {
    url: publicUrl,
    scratch,
    store,
    owner,
    async session(identity) {
      const admitted = await store.admitIdentity(identity, { open: true }, {});
      if ('refused' in admitted) throw new Error(admitted.refused);
      const { user_id } = admitted;
      const { secret, hash } = mintSecret('session');
      await store.startSession({ session_hash: hash, amr: ['test'], idle_seconds: 600, max_seconds: 600 }, { user_id });
      return { user_id, cookie: [`sid-${publicUrl.port}`, secret] };
    },
    loginLink: () => createLoginLink(store, owner, publicUrl),
    async close() {
      await server.close();
      await scratch.drop();
    },
  };
}

export type Shown = { status: number; headers: Headers; text: string; url: URL };

/** A browser without a screen: cookies, redirects, and forms that are sent with what they hide. */
export class Browser {
  readonly cookies = new Map<string, string>();
  #shown: Shown | undefined;
  readonly #origin: string;

  constructor({ url }: { url: URL }) {
    this.#origin = url.origin;
  }

  async open(target: string | URL, init: RequestInit = {}): Promise<Shown> {
    let url = new URL(target, this.#origin);
    for (let hop = 0; hop < 10; hop++) {
      const shown = await this.fetch(url, hop === 0 ? init : {});
      const location = shown.headers.get('location');
      if (shown.status < 300 || shown.status > 399 || location === null) return shown;
      url = new URL(location, url);
      if (url.origin !== this.#origin) return { ...shown, url };
    }
    throw new Error('It redirects without end.');
  }

  /** One request; no redirect is followed. */
  async fetch(target: string | URL, init: RequestInit = {}): Promise<Shown> {
    const url = new URL(target, this.#origin);
    const headers = new Headers(init.headers);
    if (url.origin === this.#origin && this.cookies.size > 0) {
      headers.set('cookie', [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '));
    }
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (/Max-Age=0/.test(cookie)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    const shown = { status: response.status, headers: response.headers, text: await response.text(), url };
    if (shown.text.includes('<form')) this.#shown = shown;
    return shown;
  }

  /** Sends the form of the last page that leads there, with what was typed. */
  submit(action: string, typed: Record<string, string | string[]> = {}): Promise<Shown> {
    const form = new RegExp(`<form[^>]*action="${action}"[^>]*>(.*?)</form>`, 's').exec(this.#shown?.text ?? '')?.[1];
    if (form === undefined) throw new Error(`The page has no form for ${action}.`);
    const hidden = [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)];
    const hides = Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, unescaped(value)]));
    const fields = Object.entries({ ...hides, ...typed }).flatMap(([name, given]) =>
      [given].flat().map((value): [string, string] => [name, value]),
    );
    return this.open(action, { method: 'POST', body: new URLSearchParams(fields) });
  }
}

export function unescaped(text: string): string {
  return text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, '&');
}

export const PASSWORD = 'correct horse battery';

/** The owner, signed in. */
export async function ownerBrowser(web: TestWeb): Promise<Browser> {
  const browser = new Browser(web);
  await browser.open(await web.loginLink());
  await browser.submit('/login/owner', { password: PASSWORD, repeated: PASSWORD });
  return browser;
}

/** The cookie of its session. */
export function session(browser: Browser): string | undefined {
  return [...browser.cookies].find(([name]) => name.startsWith('sid'))?.[1];
}
