import type { Log } from '../log.ts';
import type { RegisterAgent } from '../services/runner.ts';
import type { Driver } from './driver.ts';
import type { Kept } from './keeper.ts';
import type { Notice } from './notice.ts';
import type { OpenPlace } from './place.ts';
import type { RunnerPort } from './port.ts';

/** What a runner drives, how patiently, and whom it tells. */
export type RunnerOptions = {
  port: RunnerPort;
  driver: Driver;
  /** Where each run works, if it has a place and a driver of its own. */
  enter?: OpenPlace;
  agent: RegisterAgent['agent'];
  /** That of an earlier runner of this name, which has ended. */
  token?: number | undefined;
  /** The runs that it drove, whose agents work on. */
  resumed?: readonly Kept[];
  log: Log;
  /** For what its runs print while the server is away. */
  spoolDir: string;
  /** Between beats; and between tries while the server is away, and looks at limits. */
  everyMs?: { beat: number; control: number };
  /** How long an agent that was asked to end is waited for, and again one that was told to. */
  graceMs?: number;
  /** Over how long the use of the processor counts. */
  processorMs?: number;
  /** How long a person is waited for who is asked something. */
  askSeconds?: number;
  /** What the agent's process finds in its environment, beside the runner's own. */
  env?: Record<string, string>;
  tell?: (told: Notice) => void;
  printed?: (run: string, stream: 'stdout' | 'stderr', text: string) => void;
};

export const GRACE_MS = 5_000;
export const PROCESSOR_MS = 10_000;
export const EVERY_MS = { beat: 10_000, control: 1_000 };
