import { gzipSync } from 'node:zlib';

export type Body = string | Uint8Array<ArrayBuffer>;

/** Bodies that no receiver of OTLP takes, with their headers and the status of the refusal. */
export const HOSTILE: [what: string, body: Body, headers: Record<string, string>, status: number][] = [
  ['cut off', '{"resourceSpans": [', {}, 400],
  ['of another form', '{"resourceSpans": {"a": 1}}', {}, 400],
  ['not in UTF-8', Uint8Array.of(0xff, 0xfe), {}, 400],
  ['of no type', '{}', { 'content-type': 'text/plain' }, 400],
  ['packed as it is not', 'plain', { 'content-encoding': 'gzip' }, 400],
  ['packed by another way', '{}', { 'content-encoding': 'br' }, 400],
  ['a bomb', new Uint8Array(gzipSync(Buffer.alloc(70_000_000))), { 'content-encoding': 'gzip' }, 413],
  ['too large', 'x'.repeat(17_000_000), {}, 413],
  ['of too many', `{"resourceSpans":[{"scopeSpans":[{"spans":[${'{},'.repeat(10_000)}{}]}]}]}`, {}, 413],
  ['no Protocol Buffers', Uint8Array.of(0x0a, 0xff), { 'content-type': 'application/x-protobuf' }, 400],
  ['nested too deep', Uint8Array.from(nested(500)), { 'content-type': 'application/x-protobuf' }, 400],
];

/** A request with one span. */
export const span = (more: object = {}) => ({
  resourceSpans: [
    { scopeSpans: [{ spans: [{ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), name: 'x', ...more }] }] },
  ],
});

/** A span whose attribute nests so deep. */
function nested(depth: number): number[] {
  let value: number[] = [];
  // AnyValue.array_value.values
  for (let at = 0; at < depth; at++) value = field(5, field(1, value));
  return field(1, field(2, field(2, field(9, [...field(1, [107]), ...field(2, value)]))));
}

function field(number: number, bytes: number[]): number[] {
  const length: number[] = [];
  let left = bytes.length;
  for (; left > 127; left >>= 7) length.push((left & 127) | 128);
  return [(number << 3) | 2, ...length, left, ...bytes];
}
