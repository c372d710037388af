import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { type Config, isLoopback } from '../../config.ts';

/** Which names a request may come by, and which web pages may send one: a page that rebinds its name to our address gets in by neither. */
export type Doors = {
  opensTo(host: string | undefined): boolean;
  letsIn(origin: string | null): boolean;
  /** Whether a page of this origin may also read the answer. */
  shares(origin: string | null): origin is string;
};

export function createDoors(config: Config, publicUrl: URL): Doors {
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
  };
}

/** The address that sent a request: that of the connection, or what the outermost trusted proxy saw. */
export function addressOf({ headers, socket }: IncomingMessage, trustedProxies: number): string {
  const forwarded = String(headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((entry) => entry.trim());
  const seen = (trustedProxies === 0 ? undefined : forwarded.at(-trustedProxies)) ?? '';
  return isIP(seen) === 0 ? (socket.remoteAddress ?? '') : seen;
}

/** Whether it came straight from this machine or its network, through no proxy: from a probe or a scraper. */
export function isDirect({ headers, socket }: IncomingMessage): boolean {
  if (headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined) return false;
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|::1$|f[cd])/.test(address);
}
