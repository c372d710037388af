// The owner at a browser without a screen: signs in with the link of the first run, and allows what programs ask for.
import { randomBytes } from 'node:crypto';

type OwnerBrowser = {
  /** Says yes at the consent page, where the program sends the browser. */
  allow(authorization: string): Promise<void>;
};

/** `link` is as `cairn serve --auth` prints it. */
export async function openOwnerBrowser(link: string): Promise<OwnerBrowser> {
  const { origin } = new URL(link);
  const jar = new Map<string, string>();
  const password = randomBytes(16).toString('hex');
  let page = await open(link);
  await submit('/login/owner', { password, repeated: password });

  /** Follows redirects, out of this origin too: there the program waits for its code. */
  async function open(target: string, init: RequestInit = {}): Promise<string> {
    let url = new URL(target, origin);
    for (let hop = 0; hop < 10; hop++) {
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
      const headers: Record<string, string> = url.origin === origin ? { cookie } : {};
      const response = await fetch(url, { ...(hop === 0 ? init : {}), headers, redirect: 'manual' });
      for (const set of url.origin === origin ? response.headers.getSetCookie() : []) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
        jar.set(name, value);
      }
      const text = await response.text();
      const location = response.headers.get('location');
      if (response.status >= 400) throw new Error(`${url.pathname} answered ${response.status}: ${text.slice(0, 300)}`);
      if (location === null) return text;
      url = new URL(location, url);
    }
    throw new Error('It redirects without end.');
  }

  /** Sends a form of the page as it stands, boxes ticked as they are. */
  async function submit(action: string, typed: Record<string, string>): Promise<void> {
    const form = new RegExp(`<form[^>]*action="${action}"[^>]*>(.*?)</form>`, 's').exec(page)?.[1];
    if (form === undefined) throw new Error(`The page has no form for ${action}.`);
    const inputs = form.matchAll(/<input type="(?:hidden|checkbox)" name="([^"]*)" value="([^"]*)"( checked)?/g);
    const ticked = [...inputs].filter(([input, , , checked]) => input.includes('"hidden"') || checked !== undefined);
    const fields = ticked.map(([, name = '', value = '']): [string, string] => [name, value]);
    const body = new URLSearchParams([...fields, ...Object.entries(typed)]);
    page = await open(action, { method: 'POST', body });
  }

  return {
    async allow(authorization) {
      page = await open(authorization);
      await submit('/oauth/consent', { decision: 'allow' });
    },
  };
}
