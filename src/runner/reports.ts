import { DomainError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Report } from './port.ts';
import { untilTaken } from './until-taken.ts';

type Parts = {
  run: string;
  send(report: Report): Promise<unknown>;
  log: Log;
  isOver(): boolean;
  /** The run is another's. */
  lost(): void;
  /** It is not on the record. */
  refused(type: string, error: unknown): void;
};

/** Reports what happens in a run in order, each until it is taken: the server may be away for a while. */
export class Reports {
  readonly #parts: Parts;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Settles once it is taken; as false if it is refused. */
  say(report: Report): Promise<boolean> {
    const said = this.#last.then(() => this.#send(report));
    this.#last = said;
    return said;
  }

  async #send(report: Report): Promise<boolean> {
    const { run, send, log, isOver, lost, refused } = this.#parts;
    try {
      await untilTaken(() => send(report), {
        isOver,
        failed: (err) => log.warn({ err, run, type: report.type }, 'a report of a run is not taken'),
      });
      return true;
    } catch (error) {
      if (error instanceof DomainError && error.code === 'lock_lost') lost();
      else refused(report.type, error);
      return false;
    }
  }
}
