// The messages of OTLP that are read and written, by field number; the names are those of OTLP/JSON.
// Source: https://github.com/open-telemetry/opentelemetry-proto (v1)
import type { Message } from './protobuf.ts';

const value = (): Message => ANY_VALUE;
const attribute = (): Message => KEY_VALUE;

const KEY_VALUE: Message = { 1: { name: 'key', type: 'text' }, 2: { name: 'value', type: value } };
const LIST: Message = { 1: { name: 'values', type: value, repeated: true } };
const MAP: Message = { 1: { name: 'values', type: attribute, repeated: true } };
const ANY_VALUE: Message = {
  1: { name: 'stringValue', type: 'text' },
  2: { name: 'boolValue', type: 'bool' },
  3: { name: 'intValue', type: 'int64' },
  4: { name: 'doubleValue', type: 'double' },
  5: { name: 'arrayValue', type: () => LIST },
  6: { name: 'kvlistValue', type: () => MAP },
  7: { name: 'bytesValue', type: 'bytes' },
};
const RESOURCE: Message = { 1: { name: 'attributes', type: attribute, repeated: true } };
const SCOPE: Message = { 1: { name: 'name', type: 'text' }, 2: { name: 'version', type: 'text' } };
const STATUS: Message = { 2: { name: 'message', type: 'text' }, 3: { name: 'code', type: 'varint' } };
const SPAN: Message = {
  1: { name: 'traceId', type: 'id' },
  2: { name: 'spanId', type: 'id' },
  4: { name: 'parentSpanId', type: 'id' },
  5: { name: 'name', type: 'text' },
  6: { name: 'kind', type: 'varint' },
  7: { name: 'startTimeUnixNano', type: 'fixed64' },
  8: { name: 'endTimeUnixNano', type: 'fixed64' },
  9: { name: 'attributes', type: attribute, repeated: true },
  15: { name: 'status', type: () => STATUS },
};
const LOG_RECORD: Message = {
  1: { name: 'timeUnixNano', type: 'fixed64' },
  5: { name: 'body', type: value },
  6: { name: 'attributes', type: attribute, repeated: true },
  9: { name: 'traceId', type: 'id' },
  10: { name: 'spanId', type: 'id' },
  11: { name: 'observedTimeUnixNano', type: 'fixed64' },
  12: { name: 'eventName', type: 'text' },
};

/** A request is a list of resources, and holds what each scope of them reports. */
function request(resources: string, scope: Message): Message {
  const scopes = resources.replace('resource', 'scope');
  const resource: Message = {
    1: { name: 'resource', type: () => RESOURCE },
    2: { name: scopes, type: () => scope, repeated: true },
  };
  return { 1: { name: resources, type: () => resource, repeated: true } };
}

function scopeOf(items: string, item: Message): Message {
  return { 1: { name: 'scope', type: () => SCOPE }, 2: { name: items, type: () => item, repeated: true } };
}

export const TRACES = request('resourceSpans', scopeOf('spans', SPAN));
export const LOGS = request('resourceLogs', scopeOf('logRecords', LOG_RECORD));
/** Of metrics only that they are well formed matters. */
export const METRICS = request('resourceMetrics', scopeOf('metrics', { 1: { name: 'name', type: 'text' } }));

/** What is answered, and what of it is left out: of `rejected`, the name in JSON. */
export function response(rejected: string): Message {
  const partial: Message = { 1: { name: rejected, type: 'int64' }, 2: { name: 'errorMessage', type: 'text' } };
  return { 1: { name: 'partialSuccess', type: () => partial } };
}

/** Why a request is refused. */
export const REFUSAL: Message = { 1: { name: 'code', type: 'varint' }, 2: { name: 'message', type: 'text' } };
