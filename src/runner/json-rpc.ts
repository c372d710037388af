import * as z from 'zod';
import { jsonOf } from './lines.ts';

const Id = z.union([z.string(), z.number()]);
const Message = z.object({
  id: Id.optional(),
  method: z.string().optional(),
  params: z.unknown().optional(),
  result: z.unknown().optional(),
  error: z.object({ code: z.number().catch(0), message: z.string() }).optional(),
});
type Id = z.infer<typeof Id>;

type Handlers = {
  send(message: object): void;
  /** Answers a request; undefined leaves it without an answer, and NOT_KNOWN refuses it. */
  asked(method: string, params: unknown, id: Id): Promise<unknown>;
  told(method: string, params: unknown): void;
};
type Waiting = { resolve(result: unknown): void; reject(error: Error): void };

const METHOD_NOT_FOUND = -32_601;
const INTERNAL = -32_603;
/** The answer to a request that this side does not know. */
export const NOT_KNOWN = Symbol('not known');

/** One side of a conversation in JSON-RPC, a message a line. */
export class JsonRpcPeer {
  readonly #handlers: Handlers;
  readonly #waiting = new Map<Id, Waiting>();
  #last = 0;

  constructor(handlers: Handlers) {
    this.#handlers = handlers;
  }

  /** Asks the other side. `then` sees the answer before any message after it is read. */
  ask(method: string, params: object, then: (result: unknown) => void = () => {}): Promise<unknown> {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {
        resolve: (result) => {
          try {
            then(result);
            resolve(result);
          } catch (error) {
            reject(error);
          }
        },
        reject,
      });
      this.#handlers.send({ id, method, params });
    });
  }

  tell(method: string, params?: object): void {
    this.#handlers.send({ method, ...(params && { params }) });
  }

  read(line: string): void {
    const { data } = Message.safeParse(jsonOf(line));
    if (data === undefined) return;
    const { id, method, params, result, error } = data;
    if (method !== undefined && id !== undefined) void this.#answer(id, method, params);
    else if (method !== undefined) this.#handlers.told(method, params);
    else if (id !== undefined) {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error.message));
    }
  }

  /** The other side is gone: what waits for it fails. */
  close(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error('The agent has ended.'));
    this.#waiting.clear();
  }

  async #answer(id: Id, method: string, params: unknown): Promise<void> {
    const { send, asked } = this.#handlers;
    try {
      const result = await asked(method, params, id);
      if (result === NOT_KNOWN) send({ id, error: { code: METHOD_NOT_FOUND, message: `No ${method} here.` } });
      else if (result !== undefined) send({ id, result });
    } catch (error) {
      send({ id, error: { code: INTERNAL, message: error instanceof Error ? error.message : String(error) } });
    }
  }
}
