// One export request of OTLP/HTTP, and the answer to it.
// Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { DomainError, type ErrorCode } from '../errors.ts';
import { type Reported, readExport, type Signal } from './otlp.ts';
import { REFUSAL, response } from './otlp-messages.ts';
import { writeMessage } from './protobuf.ts';

export const SIGNALS = ['traces', 'logs', 'metrics'] as const satisfies readonly Signal[];

/** Of a request as it is sent, and of what comes of it when it is unpacked. */
export const BODY_BYTES_MAX = 16_777_216;

const JSON_TYPE = 'application/json';
const PROTOBUF_TYPE = 'application/x-protobuf';

const unpack = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip);

/** `type` and `encoding` are its headers. */
export type ExportRequest = {
  signal: Signal;
  type?: string | undefined;
  encoding?: string | undefined;
  body: Uint8Array;
};
/** `rejected` counts what was left out. */
export type Export = { reported: Reported[]; rejected: number };
export type Answer = { type: string; body: Uint8Array<ArrayBuffer> };

/**
 * Reads a request. What has no ids is left out. Raises invalid_input where it cannot be read, and payload_too_large where
 * it is too large when it is unpacked.
 */
export async function takeExport({ signal, type, encoding = '', body }: ExportRequest): Promise<Export> {
  const media = mediaOf(type);
  if (media !== JSON_TYPE && media !== PROTOBUF_TYPE) throw unreadable(`it is ${media || 'of no type'}`);
  return readExport(signal, await unpacked(body, encoding.trim().toLowerCase()), { isJson: media === JSON_TYPE });
}

function mediaOf(type = ''): string {
  return type.split(';')[0]?.trim().toLowerCase() ?? '';
}

async function unpacked(body: Uint8Array, encoding: string): Promise<Uint8Array> {
  if (encoding === '' || encoding === 'identity') return body;
  if (encoding !== 'gzip') throw unreadable(`it is packed as ${encoding.slice(0, 40)}`);
  try {
    return await unpack(body, { maxOutputLength: BODY_BYTES_MAX });
  } catch (cause) {
    if (cause instanceof RangeError) {
      throw new DomainError('payload_too_large', 'The export request is more than 16 MB when it is unpacked.', {
        hint: 'Send less at once: most exporters have a setting for the size of a batch.',
        cause,
      });
    }
    throw unreadable('it is no gzip', cause);
  }
}

function unreadable(why: string, cause?: unknown): DomainError {
  return new DomainError('invalid_input', `The export request cannot be read: ${why}.`, {
    hint: 'Send OTLP over HTTP, as application/json or application/x-protobuf, with or without gzip.',
    cause,
  });
}

const REJECTED = { traces: 'rejectedSpans', logs: 'rejectedLogRecords', metrics: 'rejectedDataPoints' } as const;

/** Says that a request was taken, in its own encoding, and how much of it was left out. */
export function acceptance({ signal, type }: Pick<ExportRequest, 'signal' | 'type'>, rejected: number): Answer {
  const name = REJECTED[signal];
  const errorMessage = 'They have no ids or no session, or are of another form.';
  const answer = rejected === 0 ? {} : { partialSuccess: { [name]: String(rejected), errorMessage } };
  return encoded(answer, type, () => writeMessage(answer, response(name)));
}

/** The codes of gRPC, which OTLP has taken over; all others are `UNKNOWN`. */
const CODES: Readonly<Partial<Record<ErrorCode, number>>> = Object.freeze({
  invalid_input: 3,
  payload_too_large: 3,
  not_found: 5,
  already_exists: 6,
  forbidden: 7,
  insufficient_scope: 7,
  rate_limited: 8,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
});
const UNKNOWN = 2;

/** Says why a request was refused, in its own encoding. */
export function refusal(type: string | undefined, code: ErrorCode, message: string): Answer {
  const answer = { code: CODES[code] ?? UNKNOWN, message };
  return encoded(answer, type, () => writeMessage(answer, REFUSAL));
}

function encoded(answer: object, type: string | undefined, binary: () => Buffer): Answer {
  if (mediaOf(type) === PROTOBUF_TYPE) return { type: PROTOBUF_TYPE, body: new Uint8Array(binary()) };
  return { type: JSON_TYPE, body: new Uint8Array(Buffer.from(JSON.stringify(answer))) };
}
