// Reads what an agent reports over OTLP/HTTP, JSON or Protocol Buffers.
// Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
import * as z from 'zod';
import { DomainError } from '../errors.ts';
import { LOGS, METRICS, TRACES } from './otlp-messages.ts';
import { type Message, readMessage } from './protobuf.ts';

export type Signal = 'traces' | 'logs' | 'metrics';

export type Value = string | number | boolean | Value[] | { [key: string]: Value };
export type Attributes = Readonly<Record<string, Value>>;

/** A span that has ended, or a log record, which has no end; with the attributes of its resource. Times are in ms. */
export type Reported = {
  name: string;
  traceId?: string;
  spanId?: string;
  /** Of a log record, the span that it was written in. */
  parentSpanId?: string;
  startedAt: number;
  endedAt?: number;
  attributes: Attributes;
  resource: Attributes;
  /** The body of a log record, where it is text. */
  text?: string;
  /** What failed as it was told, where it did; it may say nothing, or quote what was said. */
  error?: string;
};

const MESSAGES: Readonly<Record<Signal, Message>> = Object.freeze({ traces: TRACES, logs: LOGS, metrics: METRICS });

/** One request has at most so many spans or records: an exporter sends some hundred at once. */
const ITEMS_MAX = 10_000;

// The end of the year 9999.
export const LAST_MS = 253_402_300_799_999;

/** A value nests at most so deep; what is deeper is left out. */
const DEPTH_MAX = 8;

const Count = z.union([z.string(), z.number()]).optional();
const Text = z.string().optional();
const AttributeList = z.array(z.unknown()).optional();
const Span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: Text,
  name: Text,
  startTimeUnixNano: Count,
  endTimeUnixNano: Count,
  attributes: AttributeList,
  status: z.object({ code: Count, message: Text }).optional(),
});
const LogRecord = z.object({
  timeUnixNano: Count,
  observedTimeUnixNano: Count,
  eventName: Text,
  body: z.unknown(),
  attributes: AttributeList,
  traceId: Text,
  spanId: Text,
});
const Resource = z.object({ attributes: AttributeList }).optional();
const Requests = {
  traces: z.object({
    resourceSpans: listOf(
      z.object({ resource: Resource, scopeSpans: listOf(z.object({ spans: listOf(z.unknown()) })) }),
    ),
  }),
  logs: z.object({
    resourceLogs: listOf(
      z.object({ resource: Resource, scopeLogs: listOf(z.object({ logRecords: listOf(z.unknown()) })) }),
    ),
  }),
  metrics: z.object({ resourceMetrics: listOf(z.unknown()) }),
};

/**
 * Reads the body of an export request. `rejected` counts those that have no ids or are of another form; metrics are
 * only looked at. Raises invalid_input where the body is not of that signal, and payload_too_large where it has too many.
 */
export function readExport(
  signal: Signal,
  body: Uint8Array,
  { isJson }: { isJson: boolean },
): { reported: Reported[]; rejected: number } {
  const request = Requests[signal].safeParse(isJson ? parsed(body) : decoded(body, MESSAGES[signal]));
  if (!request.success) throw malformed(`${signal}: ${request.error.issues[0]?.path.join('.')} is not as OTLP says`);
  const reported: Reported[] = [];
  let rejected = 0;
  for (const { resource, item } of itemsOf(request.data)) {
    if (reported.length + rejected >= ITEMS_MAX) throw tooMany();
    const read = signal === 'traces' ? spanOf(item, resource) : recordOf(item, resource);
    if (read === undefined) rejected++;
    else reported.push(read);
  }
  return { reported, rejected };
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw malformed('it is not JSON in UTF-8', cause);
  }
}

function decoded(body: Uint8Array, message: Message): unknown {
  try {
    return readMessage(body, message);
  } catch (cause) {
    throw malformed(cause instanceof Error ? cause.message : 'it is cut off', cause);
  }
}

function malformed(why: string, cause?: unknown): DomainError {
  return new DomainError('invalid_input', `The export request cannot be read (${why}).`, {
    hint: 'Send OTLP over HTTP, as application/json or application/x-protobuf, with or without gzip.',
    cause,
  });
}

function tooMany(): DomainError {
  return new DomainError('payload_too_large', `The export request has more than ${ITEMS_MAX} spans or records.`, {
    hint: 'Send less at once: most exporters have a setting for the size of a batch.',
  });
}

type Request = z.output<(typeof Requests)[Signal]>;

function* itemsOf(request: Request): Generator<{ item: unknown; resource: Attributes }> {
  if ('resourceSpans' in request) {
    for (const { resource, scopeSpans } of request.resourceSpans) {
      const about = attributesOf(resource?.attributes);
      for (const { spans } of scopeSpans) for (const item of spans) yield { item, resource: about };
    }
  } else if ('resourceLogs' in request) {
    for (const { resource, scopeLogs } of request.resourceLogs) {
      const about = attributesOf(resource?.attributes);
      for (const { logRecords } of scopeLogs) for (const item of logRecords) yield { item, resource: about };
    }
  }
}

function spanOf(given: unknown, resource: Attributes): Reported | undefined {
  const span = Span.safeParse(given).data;
  const [traceId, spanId] = [idOf(span?.traceId, 32), idOf(span?.spanId, 16)];
  if (span === undefined || traceId === undefined || spanId === undefined) return undefined;
  const parentSpanId = idOf(span.parentSpanId, 16);
  const failed = Number(span.status?.code) === 2;
  const endedAt = timeOf(span.endTimeUnixNano);
  return {
    name: span.name ?? '',
    traceId,
    spanId,
    ...(parentSpanId !== undefined && { parentSpanId }),
    startedAt: timeOf(span.startTimeUnixNano),
    ...(endedAt > 0 && { endedAt }),
    attributes: attributesOf(span.attributes),
    resource,
    ...(failed && { error: span.status?.message ?? '' }),
  };
}

function recordOf(given: unknown, resource: Attributes): Reported | undefined {
  const record = LogRecord.safeParse(given).data;
  if (record === undefined) return undefined;
  const body = plain(record.body);
  const text = typeof body === 'string' ? body : undefined;
  const attributes = attributesOf(record.attributes);
  const named = attributes['event.name'];
  const [traceId, parentSpanId] = [idOf(record.traceId, 32), idOf(record.spanId, 16)];
  return {
    // Some write where in their source they are as the name of an event.
    name: typeof named === 'string' && named !== '' ? named : record.eventName || (text ?? ''),
    ...(traceId !== undefined && { traceId }),
    ...(parentSpanId !== undefined && { parentSpanId }),
    startedAt: timeOf(record.timeUnixNano) || timeOf(record.observedTimeUnixNano),
    attributes,
    resource,
    ...(text !== undefined && { text }),
  };
}

/** Ids are hex; those of zeros are none. */
function idOf(given: string | undefined, length: number): string | undefined {
  const id = given?.toLowerCase() ?? '';
  return id.length === length && /^[0-9a-f]+$/.test(id) && !/^0+$/.test(id) ? id : undefined;
}

/** Nanoseconds as decimal text or a number, in ms; 0 where it says none that a calendar has. */
function timeOf(nanoseconds: string | number | undefined): number {
  const ms = Number(nanoseconds ?? 0) / 1e6;
  return ms > 0 && ms <= LAST_MS ? ms : 0;
}

const KeyValue = z.object({ key: z.string(), value: z.unknown() });

function attributesOf(list: readonly unknown[] | undefined, depth = 0): Record<string, Value> {
  const attributes: Record<string, Value> = {};
  for (const given of list ?? []) {
    const { data } = KeyValue.safeParse(given);
    const value = data === undefined ? undefined : plain(data.value, depth);
    if (data !== undefined && value !== undefined) attributes[data.key] = value;
  }
  return attributes;
}

const AnyValue = z.object({
  stringValue: z.string().optional(),
  boolValue: z.boolean().optional(),
  intValue: Count,
  doubleValue: z.number().optional(),
  arrayValue: z.object({ values: z.array(z.unknown()).optional() }).optional(),
  kvlistValue: z.object({ values: z.array(z.unknown()).optional() }).optional(),
});

function plain(given: unknown, depth = 0): Value | undefined {
  const { data } = AnyValue.safeParse(given);
  if (data === undefined || depth > DEPTH_MAX) return undefined;
  const { stringValue, boolValue, intValue, doubleValue, arrayValue, kvlistValue } = data;
  if (arrayValue !== undefined) {
    return (arrayValue.values ?? []).flatMap((value) => plain(value, depth + 1) ?? []);
  }
  if (kvlistValue !== undefined) return attributesOf(kvlistValue.values, depth + 1);
  return stringValue ?? boolValue ?? (intValue === undefined ? doubleValue : Number(intValue));
}

function listOf<Item extends z.ZodType>(item: Item) {
  return z.array(item).optional().default([]);
}
