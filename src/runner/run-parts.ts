import type { Log } from '../log.ts';
import type { Driver, Question } from './driver.ts';
import type { Left } from './left.ts';
import type { OpenPlace } from './place.ts';
import type { RunnerPort } from './port.ts';

/** What a run needs of its runner, and tells it. */
export type RunParts = {
  port: RunnerPort;
  enter: OpenPlace;
  /** That of the agent, which a run without a place of its own has. */
  driver: Driver;
  log: Log;
  graceMs: number;
  /** Over how long the use of the processor counts. */
  processorMs: number;
  env: Record<string, string>;
  /** How long a person is waited for. */
  askSeconds: number;
  /** For output that waits for a server that is away. */
  spoolDir: string;
  /** Its driver has its text, and may have started a process. */
  given(run: string): void;
  delivered(run: string): void;
  /** A beat tells more than the one before. */
  changed(): void;
  printed(run: string, stream: 'stdout' | 'stderr', text: string): void;
  asked(run: string, question: Question): void;
  limited(run: string, until: Date, reason: string): void;
  /** What a run told is not on its record. */
  refused(run: string, about: { what: string; why: string }): void;
  left(run: string, left: Left): void;
};
