// The common part of the three model APIs.
import type { ServerResponse } from 'node:http';

/** A tool, and the answer of one, as the model is given it. */
/** Tokens that each answer counts. */
export const SPENT = Object.freeze({ fresh: 100, cached: 1_000, out: 10 });

export type ShownTool = { name: string; namespace?: string };
export type ShownResult = { text: string; isError: boolean };
/** `all` is what the model reads, `opening` what a person said first. */
export type Request = { all: string; opening: string; tools: ShownTool[]; results: ShownResult[] };
export type Call = ShownTool & { input: object };
/** The model's next turn; its provider may refuse it, and says when it allows more. */
export type Turn = { calls: Call[]; say: string; refusedUntil?: Date };

/** Each API reads bodies of its own type, which came on a path that it handles. */
export type Wire = {
  handles(path: string): boolean;
  read(body: object): Request;
  answer(response: ServerResponse, turn: Turn, asked: { path: string; body: object }): void;
  /** Says that the account has met its limit of use. */
  refuse(response: ServerResponse, until: Date): void;
};

/** The turn of a model that has nothing left to do. */
export const NOTHING: Turn = Object.freeze({ calls: [], say: 'Done.' });

let last = 0;

export function nextId(kind: string): string {
  last += 1;
  return `${kind}_${last}`;
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '');
}

export function jsonAnswer(
  response: ServerResponse,
  body: object,
  { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** A time as the providers say it, in seconds. */
export function secondsOf(time: Date): number {
  return Math.ceil(time.getTime() / 1_000);
}

export function eventStream(response: ServerResponse): (type: string, data: object) => void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  return (type, data) => {
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  };
}
