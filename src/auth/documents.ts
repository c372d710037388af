import { isKnownHost } from './known-documents.ts';
import { Unreachable } from './public-fetch.ts';
import { Recent } from './recent.ts';
import type { AuthSettings } from './settings.ts';

export type Documents = ReturnType<typeof createDocuments>;

/** Why a client that is named by its document is not known. `why` is fit for a stranger. */
export type Absent =
  | { absent: 'unknown' }
  | { absent: 'off' | 'host'; host: string }
  | { absent: 'unreachable' | 'document'; host: string; why: string; registers: boolean };

const UNREACHABLE = Object.freeze({ lifeMs: 600_000, max: 1_000 });
const FAILURES = Object.freeze({ lifeMs: 60_000, max: 1_000 });

/**
 * Whether clients may be known by their documents, which the metadata says: where it says no, they register. So it does for ten minutes after a
 * host was not reached that tells something about this machine, unless it is reached before: nobody would get in by a second try.
 */
export function createDocuments({ documents, documentHosts, proxy }: AuthSettings) {
  // Through a proxy nobody checks what address a name has, so that only what the operator listed is fetched.
  const mayFetch = documents && documentHosts?.length !== 0 && (proxy === undefined || documentHosts !== undefined);
  const failures = new Recent<Absent>(FAILURES);
  const unreachableHosts = new Recent<true>(UNREACHABLE);
  const areOn = () => mayFetch && unreachableHosts.isEmpty;

  /** A stranger's host may be away because the stranger likes it so. */
  function tells(host: string, isTrusted: boolean): boolean {
    return isTrusted || documentHosts !== undefined || isKnownHost(host);
  }

  return {
    areOn,
    /** Why the document of a client is not asked for, if it is not. */
    refusal({ hostname: host }: URL): Absent | undefined {
      if (!mayFetch) return { absent: 'off', host };
      return documentHosts?.includes(host) === false ? { absent: 'host', host } : undefined;
    },
    /** What was wrong with a document that was asked for in the last minute. */
    failure({ href }: URL): Absent | undefined {
      return failures.get(href);
    },
    reached({ hostname }: URL): void {
      unreachableHosts.delete(hostname);
    },
    failed({ href, hostname: host }: URL, error: unknown, { isTrusted }: { isTrusted: boolean }): Absent {
      const isAway = error instanceof Unreachable;
      if (isAway && tells(host, isTrusted)) unreachableHosts.set(host, true);
      const why = isAway ? error.why : whyOf(error);
      const absent: Absent = { absent: isAway ? 'unreachable' : 'document', host, why, registers: !areOn() };
      failures.set(href, absent);
      return absent;
    },
  };
}

/** What is wrong with a document, if we said it ourselves. */
function whyOf(error: unknown): string {
  return error instanceof Error && error.name === 'Error' ? error.message : 'it is not the document of a client';
}
