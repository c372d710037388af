import { Unreachable } from '../public-fetch.ts';
import type { AuthSettings } from '../settings.ts';
import { TtlCache } from '../ttl-cache.ts';
import { isKnownHost } from './known-documents.ts';

export type Documents = ReturnType<typeof createDocuments>;

/** Why a client that is named by its document is not known. `why` is fit for a stranger. */
export type UnknownClient =
  | { reason: 'unknown' }
  | { reason: 'off' | 'host'; host: string }
  | { reason: 'unreachable' | 'document'; host: string; why: string; registers: boolean };

const UNREACHABLE = Object.freeze({ lifeMs: 600_000, max: 1_000 });
const FAILURES = Object.freeze({ lifeMs: 60_000, max: 1_000 });

/**
 * Whether clients may be known by their documents, which the metadata says: where it says no, they register. So it does for ten minutes after a
 * host was not reached that tells something about this machine, unless it is reached before: nobody would get in by a second try.
 */
export function createDocuments({ documents, documentHosts, proxy }: AuthSettings) {
  // Through a proxy nobody checks what address a name has, so that only what the operator listed is fetched.
  const mayFetch = documents && documentHosts?.length !== 0 && (proxy === undefined || documentHosts !== undefined);
  const failures = new TtlCache<UnknownClient>(FAILURES);
  const unreachableHosts = new TtlCache<true>(UNREACHABLE);
  const isSupported = () => mayFetch && unreachableHosts.isEmpty;

  /** A stranger's host may be away because the stranger likes it so. */
  function isTelling(host: string, isTrusted: boolean): boolean {
    return isTrusted || documentHosts !== undefined || isKnownHost(host);
  }

  return {
    isSupported,
    /** Why the document of a client is not asked for, if it is not. */
    refusal({ hostname: host }: URL): UnknownClient | undefined {
      if (!mayFetch) return { reason: 'off', host };
      return documentHosts?.includes(host) === false ? { reason: 'host', host } : undefined;
    },
    /** What was wrong with a document that was asked for in the last minute. */
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

/** What is wrong with a document, if we said it ourselves. */
function whyOf(error: unknown): string {
  return error instanceof Error && error.name === 'Error' ? error.message : 'it is not the document of a client';
}
