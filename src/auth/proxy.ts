import type { Config } from '../config.ts';

/** A proxy that fetches for us, and the hosts that are reached without it, as `NO_PROXY` lists them. */
export type ProxyServer = { url: string; except: readonly string[] };

export function proxyOf({ httpsProxy, noProxy }: Config): ProxyServer | undefined {
  if (httpsProxy === undefined || noProxy.includes('*')) return undefined;
  return { url: /^\w+:\/\//.test(httpsProxy) ? httpsProxy : `http://${httpsProxy}`, except: noProxy };
}

/**
 * Tells whether fetches from the host use the proxy: `.example.com` and `example.com` except the domain and all below
 * it.
 */
export function usesProxy({ except }: ProxyServer, host: string): boolean {
  return !except.some((entry) => {
    const name = entry
      .toLowerCase()
      .replace(/^\*?\./, '')
      .replace(/:443$/, '');
    return host === name || host.endsWith(`.${name}`);
  });
}
