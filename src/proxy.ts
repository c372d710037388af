import { type Config, isLoopback } from './config.ts';

/** A proxy that fetches for us, and the hosts that are reached without it, as `NO_PROXY` lists them. */
export type ProxyServer = { url: string; except: readonly string[] };

export function proxyOf({ httpsProxy, noProxy }: Pick<Config, 'httpsProxy' | 'noProxy'>): ProxyServer | undefined {
  if (httpsProxy === undefined || noProxy.includes('*')) return undefined;
  return { url: /^\w+:\/\//.test(httpsProxy) ? httpsProxy : `http://${httpsProxy}`, except: noProxy };
}

/**
 * Returns the proxy on the way to a server of our own. `HTTP_PROXY` counts where `HTTPS_PROXY` is not set, as it does
 * for the agent programs beside us; none reaches this machine.
 */
export function proxyTo(url: URL, { httpsProxy, httpProxy, noProxy }: Config): string | undefined {
  const proxy = proxyOf({ httpsProxy: httpsProxy ?? httpProxy, noProxy });
  return proxy !== undefined && !isLoopback(url.hostname) && usesProxy(proxy, url) ? proxy.url : undefined;
}

/**
 * Tells whether fetches of the URL use the proxy: `.example.com` and `example.com` except the domain and all below it,
 * `example.com:8443` that port of it alone.
 */
export function usesProxy({ except }: ProxyServer, { hostname, port }: URL): boolean {
  return !except.some((entry) => {
    const [, listed = '', at = port || '443'] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    const name = listed.replace(/^\*?\./, '');
    return (hostname === name || hostname.endsWith(`.${name}`)) && at === (port || '443');
  });
}
