import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import fc from 'fast-check';
import { expect } from 'vitest';
import { sendRaw } from './raw-http.ts';
import type { Serving } from './serve.ts';

// Requests that no client sends, and the checks of the server's behaviour.

const ANSWER_MS_MAX = 15_000;
const CONNECTIONS = 16;
const GROWTH_BYTES_MAX = 80 * 1_048_576;
/** The server has this much and no more: what a request leaves behind would soon be too much. */
export const NODE_OPTIONS = '--max-old-space-size=112';

/** `figures` is for people: how many, how long, and the resident memory of the server before and after. */
type Endured = { statuses: Map<number, number>; figures: string };

export type Malformed = { method: string; path: string; headers: Record<string, string>; body?: string | Buffer };

export const visible = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
});
export const word = (...words: string[]) => fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...words) }, visible);
export const bytes = fc.uint8Array({ maxLength: 500 }).map((given) => Buffer.from(given));

/** CAIRN_FUZZ_RUNS: as many requests as one has the time for. */
export const runsOr = (otherwise: number) => Number(process.env['CAIRN_FUZZ_RUNS'] ?? otherwise);

/** Trims values to the form in which a header can carry them. */
export function trimmed(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, text.trim()]));
}

/** Sends requests over connections that they share, and looks at what became of the server. */
export function openFuzzer(serving: Serving) {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

  /** A stream that opens is left at once. */
  function send({ method, path, headers, body }: Malformed): Promise<{ status: number; headers: IncomingHttpHeaders }> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = serving.url;
      const sent = request({ agent, hostname, port, method, path, headers }, (response) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers });
        if (method === 'GET' && String(response.headers['content-type']).includes('event-stream')) response.destroy();
        else response.resume();
      });
      sent.setTimeout(ANSWER_MS_MAX, () => sent.destroy(new Error(`no answer in ${ANSWER_MS_MAX} ms`)));
      sent.on('error', reject);
      sent.end(method === 'GET' || method === 'HEAD' ? undefined : body);
    });
  }

  async function sendAll(samples: readonly Malformed[]): Promise<Map<number, number>> {
    const statuses = new Map<number, number>();
    let next = 0;
    async function work(): Promise<void> {
      for (let sample = samples[next++]; sample !== undefined; sample = samples[next++]) {
        const { status } = await send(sample).catch((error) => {
          throw new Error(`${error.message}: ${JSON.stringify(sample).slice(0, 2_000)}`);
        });
        if (status >= 500) throw new Error(`${status}: ${JSON.stringify(sample).slice(0, 2_000)}`);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, work));
    return statuses;
  }

  async function residentBytes(): Promise<number> {
    const { text } = await sendRaw(new URL('/metrics', serving.url), {});
    return Number(/^process_resident_memory_bytes (\d+)/m.exec(text)?.[1]);
  }

  return {
    /**
     * Counts the answers by status. Checks that each comes in time and without an internal failure, that no secret is
     * in the log, and that memory stays bounded.
     */
    async endure(samples: readonly Malformed[], secrets: readonly string[]): Promise<Endured> {
      const started = performance.now();
      // The first requests, during which code is compiled, count toward neither side.
      await sendAll(samples.slice(0, samples.length / 4));
      const before = await residentBytes();

      const statuses = await sendAll(samples.slice(samples.length / 4));

      const after = await residentBytes();
      expect([...statuses.keys()].filter((status) => status >= 500 || status < 200)).toEqual([]);
      expect(after - before).toBeLessThan(GROWTH_BYTES_MAX);
      expect(serving.log.filter((line) => secrets.some((secret) => line.includes(secret)))).toEqual([]);
      expect(serving.log.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
      const seconds = ((performance.now() - started) / 1_000).toFixed(1);
      const [mibBefore, mibAfter] = [before, after].map((bytes) => Math.round(bytes / 1_048_576));
      return {
        statuses,
        figures: `${samples.length} requests, ${seconds} s, ${mibBefore} MiB before, ${mibAfter} MiB after`,
      };
    },
    close: () => agent.destroy(),
  };
}
