import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

// An agent's line carries a picture at most.
export const CHARACTERS_MAX = 16_777_216;

/** Hands over each line of a stream, but for one that is longer than memory should hold, or than the caller allows now. */
export function eachLine(stream: Readable, take: (line: string) => void, most = () => CHARACTERS_MAX): void {
  const decoder = new StringDecoder('utf8');
  let parts: string[] = [];
  let length = 0;
  stream.on('data', (bytes: Buffer) => {
    const [first = '', ...rest] = decoder.write(bytes).split('\n');
    add(first);
    for (const next of rest) {
      if (length <= most()) take(parts.join(''));
      [parts, length] = [[], 0];
      add(next);
    }
  });

  function add(part: string): void {
    length += part.length;
    if (length > most()) parts = [];
    else parts.push(part);
  }
}

/** Reads a line of JSON; undefined where it is none, as what a program prints beside its protocol. */
export function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
