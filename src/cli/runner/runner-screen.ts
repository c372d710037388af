import type { Notice } from '../../runner/notice.ts';
import { clean } from '../../text.ts';
import { shortId } from '../short-id.ts';
import { styled } from '../terminal/output.ts';
import { noticeLine } from './notice-line.ts';

type Stream = 'stdout' | 'stderr';
type Written = (stream: Stream, text: string) => void;

const onTerminal: Written = (stream, text) => void process[stream].write(text);

/** What a person reads of a runner. Once several runs are alive it says of which each thing is, until all have ended. */
export class RunnerScreen {
  readonly #about: Parameters<typeof noticeLine>[1];
  readonly #write: Written;
  readonly #alive = new Set<string>();
  #isTitled = false;
  /** The run whose text came last. */
  #printing: string | undefined;
  #isWithinLine = false;

  constructor(about: Parameters<typeof noticeLine>[1], write: Written = onTerminal) {
    this.#about = about;
    this.#write = write;
  }

  tell(notice: Notice): void {
    const run = runOf(notice);
    if (notice.what === 'started' || notice.what === 'resumed') this.#alive.add(notice.started.run.id);
    this.#isTitled ||= this.#alive.size > 1;
    const line = noticeLine(notice, this.#about);
    if (line !== undefined) {
      const title = run !== undefined && this.#isTitled ? `${titleOf(run)} ` : '';
      this.#endLine();
      this.#write('stdout', `${title}${line}\n`);
      this.#printing = undefined;
    }
    if (notice.what === 'ended') this.#alive.delete(notice.run);
    this.#isTitled &&= this.#alive.size > 0;
  }

  printed(run: string, stream: Stream, text: string): void {
    if (this.#isTitled && this.#printing !== run) {
      this.#endLine();
      this.#write('stdout', `${titleOf(run)}\n`);
    }
    this.#printing = run;
    const shown = clean(text);
    this.#isWithinLine = shown === '' ? this.#isWithinLine : !shown.endsWith('\n');
    this.#write(stream, shown);
  }

  /** Nothing continues a line that a run has not ended, where it may be another's. */
  #endLine(): void {
    if (this.#isWithinLine && this.#isTitled) this.#write('stdout', '\n');
    this.#isWithinLine = false;
  }
}

function titleOf(run: string): string {
  return styled('dim', `run ${shortId(run)}:`);
}

function runOf(notice: Notice): string | undefined {
  if ('started' in notice) return notice.started.run.id;
  return 'run' in notice ? notice.run : undefined;
}
