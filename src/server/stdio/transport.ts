import { isUtf8 } from 'node:buffer';
import type { Readable, Writable } from 'node:stream';
import {
  deserializeMessage,
  INVALID_REQUEST,
  type JSONRPCMessage,
  PARSE_ERROR,
  type RequestId,
  serializeMessage,
  type Transport,
} from '@modelcontextprotocol/server';
import { DomainError } from '../../errors.ts';
import { renderError } from '../../tools/render.ts';

const MESSAGE_BYTES_MAX = 1_048_576;
// Enough of both ends of an oversized message to tell whom to answer.
const END_BYTES = 2_048;
const DRAIN_MS_MAX = 10_000;
const LINE_FEED = 0x0a;

type Streams = { input: Readable; output: Writable };

/** Sees each message before it is handled or sent. */
type Observer = { received(message: JSONRPCMessage): void; sending(message: JSONRPCMessage): Promise<void> };

/**
 * Transports messages as lines over two streams. Unlike the SDK's transport it answers an unreadable line, refuses an
 * oversized one without keeping it, and at the end of the input lets calls in flight finish.
 */
export class StdioTransport implements Transport {
  onclose?: Transport['onclose'];
  onerror?: Transport['onerror'];
  onmessage?: Transport['onmessage'];
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>;
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #observer: Observer | undefined;
  readonly #unanswered = new Set<RequestId>();
  #settle = () => {};
  #draining = false;
  #over = false;

  constructor({ input, output }: Streams, observer?: Observer) {
    this.#input = input;
    this.#output = output;
    this.#observer = observer;
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  async start(): Promise<void> {
    const drain = () => this.drain();
    const lines = { line: (line?: string) => this.#receive(line), tooLarge: this.#refuse.bind(this) };
    this.#input.on('data', readLines(lines)).on('end', drain).on('error', drain);
    // Nobody reads any more: there is nobody left to finish for.
    this.#output.on('error', () => this.#end());
  }

  async send(message: JSONRPCMessage): Promise<void> {
    await this.#observer?.sending(message);
    if (this.#over) return;
    if ('id' in message && message.id !== undefined && !('method' in message)) this.#unanswered.delete(message.id);
    await this.#write(message);
    if (this.#draining && this.#unanswered.size === 0) this.#end();
  }

  async close(): Promise<void> {
    this.#end();
  }

  /** Reads no more, and closes as soon as all requests are answered. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#input.pause();
    if (this.#unanswered.size === 0) this.#end();
    else setTimeout(() => this.#end(), DRAIN_MS_MAX).unref();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#input.pause();
    this.onclose?.();
    this.#settle();
  }

  #write(message: JSONRPCMessage): Promise<void> {
    return new Promise((resolve) => this.#output.write(serializeMessage(message), () => resolve()));
  }

  #receive(line: string | undefined): void {
    if (line?.trim() === '' || this.#draining) return;
    const message = readMessage(line);
    if ('error' in message && !('id' in message)) return void this.#write(message);
    this.#track(message);
    this.#observer?.received(message);
    this.onmessage?.(message);
  }

  /** Tracks open calls. A subscription stays open for good, so nobody waits for its end. */
  #track(message: JSONRPCMessage): void {
    if (!('method' in message)) return;
    if ('id' in message && message.method !== 'subscriptions/listen') this.#unanswered.add(message.id);
    if (message.method === 'notifications/cancelled') {
      this.#unanswered.delete(message.params?.['requestId'] as RequestId);
    }
  }

  #refuse(start: string, end: string): void {
    const answer = refusal(start, end);
    this.onerror?.(new Error(`Refused a message of more than ${MESSAGE_BYTES_MAX} bytes.`));
    if (answer !== undefined) void this.#write(answer);
  }
}

/** Reads the message of a line, or the error to answer. */
function readMessage(line: string | undefined): JSONRPCMessage {
  // Its characters would be replaced without notice.
  if (line === undefined) return { jsonrpc: '2.0', error: { code: PARSE_ERROR, message: 'A line is not UTF-8.' } };
  try {
    return deserializeMessage(line);
  } catch (error) {
    const [code, message] =
      error instanceof SyntaxError
        ? [PARSE_ERROR, 'A line is not JSON: send one message a line.']
        : [INVALID_REQUEST, 'A line is not a JSON-RPC message.'];
    return { jsonrpc: '2.0', error: { code, message } };
  }
}

/** Splits chunks into lines; one that is not UTF-8 is undefined. Keeps only both ends of an oversized line. */
function readLines(on: { line(line: string | undefined): void; tooLarge(start: string, end: string): void }) {
  let parts: Buffer[] = [];
  let size = 0;
  let start: Buffer | undefined;

  function add(part: Buffer): void {
    parts.push(part);
    size += part.length;
    if (start === undefined && size <= MESSAGE_BYTES_MAX) return;
    const kept = Buffer.concat(parts);
    start ??= Buffer.from(kept.subarray(0, END_BYTES));
    parts = [Buffer.from(kept.subarray(-END_BYTES))];
  }

  return (chunk: Buffer): void => {
    let from = 0;
    for (let to = chunk.indexOf(LINE_FEED); to !== -1; to = chunk.indexOf(LINE_FEED, from)) {
      add(chunk.subarray(from, to));
      from = to + 1;
      const [only = Buffer.alloc(0), ...others] = parts;
      const bytes = others.length === 0 ? only : Buffer.concat(parts);
      const text = bytes.toString();
      const first = start?.toString();
      parts = [];
      size = 0;
      start = undefined;
      if (first !== undefined) on.tooLarge(first, text);
      else on.line(isUtf8(bytes) ? text : undefined);
    }
    if (from < chunk.length) add(chunk.subarray(from));
  };
}

const VALUE = String.raw`("(?:[^"\\]|\\.)*"|-?\d+)`;
const MEMBER = String.raw`\s*"(?:jsonrpc|id|method)"\s*:\s*${VALUE}\s*`;
// Only members before or after `params` belong to the message itself.
const FIRST_MEMBERS = new RegExp(String.raw`^\s*\{(?:${MEMBER},)+`);
const LAST_MEMBERS = new RegExp(String.raw`(?:,${MEMBER})+\}\s*$`);

/** Answers an oversized message, if its sender is known. */
function refusal(start: string, end: string): JSONRPCMessage | undefined {
  const members = `${FIRST_MEMBERS.exec(start)?.[0] ?? ''}${LAST_MEMBERS.exec(end)?.[0] ?? ''}`;
  const id = new RegExp(String.raw`"id"\s*:\s*${VALUE}`).exec(members)?.[1];
  if (id === undefined) return undefined;
  const error = new DomainError('payload_too_large', 'The arguments are larger than 1 MB.', {
    hint: 'Send fewer items at a time; store large content elsewhere (a file, a commit) and record its reference.',
  });
  const parsed: RequestId = JSON.parse(id);
  const answer = { jsonrpc: '2.0', id: parsed } as const;
  if (!/"method"\s*:\s*"tools\/call"/.test(members)) {
    return { ...answer, error: { code: INVALID_REQUEST, message: error.message } };
  }
  // `resultType` belongs to the 2026 protocol; older clients ignore it.
  return {
    ...answer,
    result: { resultType: 'complete', content: [{ type: 'text', text: renderError(error) }], isError: true },
  };
}
