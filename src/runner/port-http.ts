import * as z from 'zod';
import { DomainError, isErrorCode, messageOf } from '../errors.ts';
import { Run } from '../events/runs.ts';
import { posting } from '../post.ts';
import { CONTROL_MS_MAX } from '../services/control.ts';
import { Added } from '../services/output.ts';
import { Claimed, Control, Registered } from '../services/runner.ts';
import { StoredSteps } from '../services/steps.ts';
import { VERSION } from '../version.ts';
import type { RunnerPort } from './port.ts';

type Question<Answer> = { body: object; answer: Answer; ms?: number; signal?: AbortSignal };

/** `proxy` is on the way to it. */
type Server = { url: URL; token?: string | undefined; proxy?: string | undefined };

const CALL_MS_MAX = 30_000;
// Text in JSON may be six times as long, and a request is at most 1 MiB.
const OUTPUT_BYTES_MAX = 524_288;

/** Over HTTP: the paths `/api/v1/runner/…` of a `cairn serve`, with a token that names the agent. */
export function httpPort(server: Server, agent: string): RunnerPort {
  const ask = asking(server);
  return {
    register: (registered) => ask('register', { body: registered, answer: Registered }),
    beat: (token, beat) => ask('beat', { body: { agent, token, beat }, answer: Control }),
    control: (held, { seen, signal }) =>
      ask('control', {
        body: { agent, held, seen },
        answer: Control,
        ms: CONTROL_MS_MAX + CALL_MS_MAX,
        signal,
      }),
    claim: (token, holding) => ask('claim', { body: { agent, token, holding }, answer: Claimed }),
    async output({ run, lock_token }, { chunks, left_out }) {
      const send = (part: unknown[]) =>
        ask('output', { body: { run, lock_token, chunks: part, left_out }, answer: Added });
      const parts = partsOf(chunks);
      const last = parts.pop() ?? [];
      // What was left out comes before the first part; said again it changes nothing.
      for (const part of parts) await send(part);
      return send(last);
    },
    async steps({ run, lock_token }, { steps, links }) {
      const parts = partsOf(steps);
      const last = parts.pop() ?? [];
      const send = (part: unknown[], more: object) =>
        ask('steps', { body: { run, lock_token, steps: part, ...more }, answer: StoredSteps });
      for (const part of parts) await send(part, {});
      return send(last, { links });
    },
    report: ({ run, lock_token }, events) => ask('settle', { body: { run, lock_token, events }, answer: Run }),
  };
}

function asking(server: Server) {
  const { url, token } = server;
  const post = posting(server.proxy);
  const headers = {
    'content-type': 'application/json',
    'user-agent': `cairn-runner/${VERSION}`,
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
  return async function ask<Answer extends z.ZodType>(
    name: string,
    { body, answer, ms = CALL_MS_MAX, signal }: Question<Answer>,
  ): Promise<z.output<Answer>> {
    // AbortSignal.timeout within AbortSignal.any may be garbage-collected before it fires (Node.js 20).
    const up = new AbortController();
    const timer = setTimeout(() => up.abort(new Error(`There was no answer in ${ms / 1_000} seconds.`)), ms);
    try {
      const { status, text } = await post(new URL(`/api/v1/runner/${name}`, url), {
        headers,
        body: JSON.stringify(body),
        signal: signal === undefined ? up.signal : AbortSignal.any([up.signal, signal]),
      });
      if (status < 200 || status > 299) throw refusalOf(status, text, url);
      return answer.parse(JSON.parse(text));
    } catch (error) {
      if (error instanceof DomainError) throw error;
      throw unreachable(server, error);
    } finally {
      clearTimeout(timer);
    }
  };
}

const Refusal = z.object({ error: z.string(), message: z.string(), hint: z.string().optional() });

function refusalOf(status: number, text: string, url: URL): DomainError {
  const { error, message, hint } = refusalIn(text) ?? {};
  if (error !== undefined && message !== undefined && isErrorCode(error))
    return new DomainError(error, message, { hint });
  if (status === 404) {
    return new DomainError('not_found', `The server at ${url.origin} has no paths for runners.`, {
      hint: 'It is older than this program, or no Cairn: update it, or correct --url.',
    });
  }
  // A proxy in front answers for a server that is away.
  return new DomainError('unavailable', `The server at ${url.origin} answered with ${status}.`, {
    hint: 'Look at its log, and at that of the proxy in front of it.',
  });
}

function refusalIn(text: string): z.infer<typeof Refusal> | undefined {
  try {
    return Refusal.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function unreachable({ url, proxy }: Server, error: unknown): DomainError {
  // What fetch throws says nothing itself.
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const hint =
    proxy === undefined
      ? 'Check --url, and that `cairn serve` runs there.'
      : `Check --url, and that the proxy ${hostOf(proxy)} lets it pass; NO_PROXY names servers that are reached without.`;
  return new DomainError('unavailable', `The server at ${url.origin} cannot be reached: ${messageOf(cause)}`, {
    hint,
    cause: error,
  });
}

/** Leaves out the password. */
function hostOf(proxy: string): string {
  return URL.parse(proxy)?.host ?? 'of HTTPS_PROXY';
}

/** Shares chunks among calls, each within its limit as JSON. */
function partsOf<Chunk>(chunks: readonly Chunk[]): Chunk[][] {
  const parts: Chunk[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const chunk of chunks) {
    const size = Buffer.byteLength(JSON.stringify(chunk));
    if (bytes + size > OUTPUT_BYTES_MAX) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push(chunk);
    bytes += size;
  }
  return parts;
}
