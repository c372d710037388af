import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hashSecret, sameHash } from '../../auth/secrets.ts';
import { type Config, isLoopback } from '../../config.ts';

/**
 * Decides by which host names a request may come, and which web pages may send one: a page that rebinds its name to our
 * address fails both checks.
 */
export type OriginPolicy = {
  opensTo(host: string | undefined): boolean;
  letsIn(origin: string | null): boolean;
  /** Tells whether a page of this origin may also read the answer. */
  shares(origin: string | null): origin is string;
  /**
   * Tells whether the caller may read the metrics: with the token, or without a configured one from this machine, by
   * its own name and through no proxy.
   */
  showsMetrics(incoming: IncomingMessage): boolean;
};

export function createOriginPolicy(config: Config, publicUrl: URL): OriginPolicy {
  const local = isLoopback(config.host);
  const shared = new Set([publicUrl.origin, ...config.allowedOrigins]);
  return {
    opensTo(host) {
      const url = host === undefined ? null : URL.parse(`${publicUrl.protocol}//${host}`);
      return url !== null && (url.host === publicUrl.host || (local && isLoopback(url.hostname)));
    },
    letsIn(origin) {
      if (origin === null || shared.has(origin)) return true;
      const url = URL.parse(origin);
      return url !== null && local && isLoopback(url.hostname);
    },
    shares: (origin): origin is string => origin !== null && shared.has(origin),
    showsMetrics({ headers, socket }) {
      if (config.metricsToken !== undefined) {
        return sameHash(hashSecret(headers.authorization ?? ''), hashSecret(`Bearer ${config.metricsToken}`));
      }
      if (headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined) return false;
      const named = headers.host === undefined ? null : URL.parse(`http://${headers.host}`);
      // A private address proves nothing: a container's network sends all the world's requests from one.
      return named !== null && isLoopback(named.hostname) && isLocal(socket.remoteAddress ?? '');
    },
  };
}

/** Finds the address that sent a request: the connection's, or the one that the outermost trusted proxy saw. */
export function addressOf({ headers, socket }: IncomingMessage, trustedProxies: number): string {
  const forwarded = String(headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((entry) => entry.trim());
  const seen = (trustedProxies === 0 ? undefined : forwarded.at(-trustedProxies)) ?? '';
  return isIP(seen) === 0 ? (socket.remoteAddress ?? '') : seen;
}

function isLocal(address: string): boolean {
  return isLoopback(address.replace(/^::ffff:/, ''));
}
