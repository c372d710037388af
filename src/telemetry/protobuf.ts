// Reads and writes Protocol Buffers in the shape of their JSON mapping, by a description of the messages.
// Source: https://protobuf.dev/programming-guides/encoding/
import { recordOf } from '../records.ts';

/** How a field is written. `id` is bytes that OTLP/JSON writes as hex; 64-bit numbers come as decimal text, as in JSON. */
type Scalar = 'text' | 'id' | 'bytes' | 'varint' | 'int64' | 'bool' | 'double' | 'fixed64';

/** The fields of a message, by number. Those that it does not list are skipped. */
export type Message = { [number: number]: Field };

type Field = { name: string; type: Scalar | (() => Message); repeated?: true };

/** A message nests at most so deep: hostile ones are refused before the stack is used up. */
const DEPTH_MAX = 32;

const ENCODINGS = { text: 'utf8', id: 'hex', bytes: 'base64' } as const;
const WIRE_TYPES = { varint: 0, int64: 0, bool: 0, fixed64: 1, double: 1, text: 2, id: 2, bytes: 2, message: 2 };

/** Reads a message. Throws an `Error` that says where it is malformed, cut off, or nested too deep. */
export function readMessage(bytes: Uint8Array, message: Message): Record<string, unknown> {
  return new Reader(bytes).message(message);
}

/** Writes a message: what of its fields there is. */
export function writeMessage(value: Readonly<Record<string, unknown>>, message: Message): Buffer {
  const parts: Uint8Array[] = [];
  for (const [number, { name, type, repeated }] of Object.entries(message)) {
    const given = value[name];
    if (given === undefined) continue;
    const wire = WIRE_TYPES[typeof type === 'function' ? 'message' : type];
    for (const one of repeated && Array.isArray(given) ? given : [given]) {
      parts.push(varint(BigInt(Number(number) * 8 + wire)), written(one, type));
    }
  }
  return Buffer.concat(parts);
}

function written(value: unknown, type: Field['type']): Uint8Array {
  if (typeof type === 'function') return delimited(writeMessage(recordOf(value), type()));
  const eight = Buffer.alloc(8);
  switch (type) {
    case 'varint':
    case 'int64':
    case 'bool':
      return varint(BigInt(typeof value === 'boolean' ? Number(value) : String(value)));
    case 'fixed64':
      eight.writeBigUInt64LE(BigInt(String(value)));
      return eight;
    case 'double':
      eight.writeDoubleLE(Number(value));
      return eight;
    default:
      return delimited(Buffer.from(String(value), ENCODINGS[type]));
  }
}

function delimited(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varint(BigInt(bytes.length)), bytes]);
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, value);
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) + 128);
  return Uint8Array.of(...bytes, Number(left));
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  /** Where the message that is being read ends. */
  #end: number;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.length;
  }

  message(message: Message): Record<string, unknown> {
    const read: Record<string, unknown> = {};
    while (this.#at < this.#end) {
      const tag = this.#varint();
      const field = message[Math.floor(tag / 8)];
      if (field === undefined) {
        this.#skip(tag % 8);
        continue;
      }
      const value = this.#value(field.type, tag % 8);
      const former = read[field.name];
      if (!field.repeated) read[field.name] = value;
      else if (Array.isArray(former)) former.push(value);
      else read[field.name] = [value];
    }
    return read;
  }

  #value(type: Field['type'], wire: number): unknown {
    if (wire !== WIRE_TYPES[typeof type === 'function' ? 'message' : type]) throw this.#malformed(`has type ${wire}`);
    if (typeof type === 'function') return this.#nested(type());
    switch (type) {
      case 'varint':
        return this.#varint();
      case 'int64':
        return String(this.#int64());
      case 'bool':
        return this.#varint() !== 0;
      case 'fixed64':
        return String(this.#bytes.readBigUInt64LE(this.#take(8)));
      case 'double':
        return this.#bytes.readDoubleLE(this.#take(8));
      default: {
        const length = this.#varint();
        const from = this.#take(length);
        return this.#bytes.toString(ENCODINGS[type], from, from + length);
      }
    }
  }

  #nested(message: Message): Record<string, unknown> {
    const length = this.#varint();
    const end = this.#end;
    if (length > end - this.#at) throw this.#malformed('is cut off');
    if (++this.#depth > DEPTH_MAX) throw new Error(`It nests deeper than ${DEPTH_MAX} messages.`);
    this.#end = this.#at + length;
    const read = this.message(message);
    this.#end = end;
    this.#depth--;
    return read;
  }

  /** A number that is read as such: exact to 2^53. */
  #varint(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 70; factor *= 128) {
      const byte = this.#bytes[this.#take(1)] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw this.#malformed('is a number without end');
  }

  #int64(): bigint {
    const from = this.#at;
    const value = this.#varint();
    if (Number.isSafeInteger(value)) return BigInt(value);
    let exact = 0n;
    for (let at = this.#at - 1; at >= from; at--) exact = (exact << 7n) | BigInt((this.#bytes[at] ?? 0) & 0x7f);
    return BigInt.asIntN(64, exact);
  }

  #take(length: number): number {
    if (length > this.#end - this.#at) throw this.#malformed('is cut off');
    this.#at += length;
    return this.#at - length;
  }

  #skip(wire: number): void {
    if (wire === 0) this.#varint();
    else if (wire === 1) this.#take(8);
    else if (wire === 2) this.#take(this.#varint());
    else if (wire === 5) this.#take(4);
    else throw this.#malformed(`has type ${wire}`);
  }

  #malformed(what: string): Error {
    return new Error(`It is no message of Protocol Buffers: what is at byte ${this.#at} ${what}.`);
  }
}
