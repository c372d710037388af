// One export request of OTLP/HTTP, and the answer to it.
// Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { DomainError } from '../errors.ts';
import { type Reported, readExport, type Signal } from './otlp.ts';
import { varint } from './protobuf.ts';

export const SIGNALS = ['traces', 'logs', 'metrics'] as const satisfies readonly Signal[];

/** Of a request as it is sent, and of what comes of it when it is unpacked. */
export const BODY_BYTES_MAX = 16_777_216;
const UNPACKED_BYTES_MAX = 67_108_864;

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
export type Export = { reported: Reported[]; answer: { type: string; body: Uint8Array } };

/**
 * Reads a request. What has no ids is left out, and the answer counts it. Raises invalid_input where it cannot be read,
 * and payload_too_large where it is too large when it is unpacked.
 */
export async function takeExport({ signal, type = '', encoding = '', body }: ExportRequest): Promise<Export> {
  const media = type.split(';')[0]?.trim().toLowerCase();
  if (media !== JSON_TYPE && media !== PROTOBUF_TYPE) throw unreadable(`it is ${media || 'of no type'}`);
  const isJson = media === JSON_TYPE;
  const { reported, rejected } = readExport(signal, await unpacked(body, encoding.trim().toLowerCase()), { isJson });
  return { reported, answer: { type: media, body: isJson ? jsonAnswer(signal, rejected) : binaryAnswer(rejected) } };
}

async function unpacked(body: Uint8Array, encoding: string): Promise<Uint8Array> {
  if (encoding === '' || encoding === 'identity') return body;
  if (encoding !== 'gzip') throw unreadable(`it is packed as ${encoding.slice(0, 40)}`);
  try {
    return await unpack(body, { maxOutputLength: UNPACKED_BYTES_MAX });
  } catch (cause) {
    if (cause instanceof RangeError) {
      throw new DomainError('payload_too_large', 'The export request is more than 64 MB when it is unpacked.', {
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

function jsonAnswer(signal: Signal, rejected: number): Uint8Array {
  const answer = rejected === 0 ? {} : { partialSuccess: { [REJECTED[signal]]: String(rejected) } };
  return Buffer.from(JSON.stringify(answer));
}

/** `partial_success` is field 1 of each answer, and in it field 1 counts. */
function binaryAnswer(rejected: number): Uint8Array {
  if (rejected === 0) return new Uint8Array();
  const count = varint(rejected);
  return Uint8Array.of(0x0a, count.length + 1, 0x08, ...count);
}
