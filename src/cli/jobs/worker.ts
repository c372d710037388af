import type { Config } from '../../config.ts';
import { openLocal } from '../../local.ts';
import { createLog } from '../../log.ts';
import { onStopSignal } from '../../stop-signals.ts';
import { oneLine } from '../../text.ts';
import type { Ended } from '../../workers/worker.ts';
import { type JsonOption, printResult } from '../terminal/output.ts';
import { openWorker, refuseWithoutKey } from './open-worker.ts';

export type WorkerOptions = JsonOption & { once?: true };

// Keeps the process alive between two looks.
const AWAKE_MS = 60_000;

/** `cairn worker`: runs jobs that are due until the process is told to stop; with `--once` those that are due now. */
export async function runWorker(config: Config, { once, ...options }: WorkerOptions): Promise<void> {
  refuseWithoutKey(config);
  const log = createLog(once && config.logLevel === 'info' ? 'warn' : config.logLevel);
  const local = await openLocal({ ...config, lingerSeconds: 0 }, log);
  const worker = openWorker(config, { local, log });
  try {
    if (once) {
      const jobs = await worker.runDue();
      if (jobs.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1;
      printResult({ jobs }, options, () => endLines(jobs));
      return;
    }
    worker.start();
    const awake = setInterval(() => {}, AWAKE_MS);
    log.info('the worker runs jobs that are due');
    await new Promise<void>((resolve) => onStopSignal(resolve));
    clearInterval(awake);
    log.info('stopping');
    await worker.stop();
  } finally {
    await local.close();
  }
}

export function endLines(jobs: readonly (Ended & { error?: string | undefined })[]): string[] {
  if (jobs.length === 0) return ['Nothing is due.'];
  return jobs.map(({ kind, outcome, seconds, error }) =>
    [`${kind}: ${outcome} after ${seconds.toFixed(1)} s`, ...(error === undefined ? [] : [oneLine(error)])].join(': '),
  );
}
