/** A finding about a deployment seen from outside; a failed one says what to change. */
export type Finding = { check: string; ok: boolean; advice?: string };

export type Document = Record<string, unknown>;

const MS_MAX = 10_000;

/** Returns the response, or the error. */
export async function ask(url: URL, init: RequestInit = {}): Promise<Response | Error> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(MS_MAX) });
  } catch (error) {
    return (error as Error).cause instanceof Error ? ((error as Error).cause as Error) : (error as Error);
  }
}

/** Fetches the JSON object at an address, if there is one. */
export async function documentAt(url: URL): Promise<Document | undefined> {
  const reply = await ask(url);
  if (reply instanceof Error || !reply.ok) return undefined;
  const found: unknown = await reply.json().catch(() => undefined);
  return typeof found === 'object' && found !== null ? (found as Document) : undefined;
}
