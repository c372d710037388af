import { TtlCache } from '../../ttl-cache.ts';
import { Unreachable } from '../public-fetch.ts';
import type { AuthSettings } from '../settings.ts';
import { isKnownHost } from './known-documents.ts';

export type Documents = ReturnType<typeof createDocuments>;

/** The reason why a client with a document is unknown. `why` may be shown to strangers. */
export type UnknownClient =
  | { reason: 'unknown' }
  | { reason: 'off' | 'host'; host: string }
  | { reason: 'unreachable' | 'document'; host: string; why: string; registers: boolean };

const UNREACHABLE = Object.freeze({ lifeMs: 600_000, max: 1_000 });
const FAILURES = Object.freeze({ lifeMs: 60_000, max: 1_000 });

/**
 * Decides whether clients may be known by their documents; the metadata says so, and if not, clients register. It says
 * no for ten minutes after an unreachable host that tells something about this machine, since a second try would let
 * nobody in, or until the host is reached.
 */
export function createDocuments({ documents, documentHosts, proxy }: AuthSettings) {
  // Nobody checks addresses behind a proxy, so only hosts on the operator's list are fetched from.
  const mayFetch = documents && documentHosts?.length !== 0 && (proxy === undefined || documentHosts !== undefined);
  const failures = new TtlCache<UnknownClient>(FAILURES);
  const unreachableHosts = new TtlCache<true>(UNREACHABLE);
  const isSupported = () => mayFetch && unreachableHosts.isEmpty;

  /** Tells whether a failure says something about this machine: a stranger may take their host away on purpose. */
  function isTelling(host: string, isTrusted: boolean): boolean {
    return isTrusted || documentHosts !== undefined || isKnownHost(host);
  }

  return {
    isSupported,
    /** Returns the reason not to fetch a client's document, if there is one. */
    refusal({ hostname: host }: URL): UnknownClient | undefined {
      if (!mayFetch) return { reason: 'off', host };
      return documentHosts?.includes(host) === false ? { reason: 'host', host } : undefined;
    },
    /** Returns the last minute's failure of a document. */
    failure({ href }: URL): UnknownClient | undefined {
      return failures.get(href);
    },
    reached({ hostname }: URL): void {
      unreachableHosts.delete(hostname);
    },
    failed({ href, hostname: host }: URL, error: unknown, { isTrusted }: { isTrusted: boolean }): UnknownClient {
      const isUnreachable = error instanceof Unreachable;
      if (isUnreachable && isTelling(host, isTrusted)) unreachableHosts.set(host, true);
      const why = isUnreachable ? error.why : whyOf(error);
      const unknown: UnknownClient = {
        reason: isUnreachable ? 'unreachable' : 'document',
        host,
        why,
        registers: !isSupported(),
      };
      failures.set(href, unknown);
      return unknown;
    },
  };
}

/** Returns the document's fault, if we named it ourselves. */
function whyOf(error: unknown): string {
  return error instanceof Error && error.name === 'Error' ? error.message : 'it is not the document of a client';
}
