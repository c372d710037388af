import { isRecord } from '../../records.ts';
/** A finding about a deployment seen from outside; a failed one says what to change. */
export type Finding = { check: string; ok: boolean; advice?: string };

export type Document = Record<string, unknown>;

const MS_MAX = 10_000;

/** Returns the response, or the error. */
export async function ask(url: URL, init: RequestInit = {}): Promise<Response | Error> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(MS_MAX) });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error.cause instanceof Error ? error.cause : error;
  }
}

/** Fetches the JSON object at an address, if there is one. */
export async function documentAt(url: URL): Promise<Document | undefined> {
  const reply = await ask(url);
  if (reply instanceof Error || !reply.ok) return undefined;
  const found: unknown = await reply.json().catch(() => undefined);
  return isRecord(found) ? found : undefined;
}
