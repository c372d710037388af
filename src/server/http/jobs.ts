import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Ended } from '../../workers/worker.ts';

const SECONDS = [0.01, 0.1, 1, 10, 60, 600, 3_600];

/** What a server shows of the jobs of its database: those that its worker ran, and how many wait too long. */
export type JobsSeen = {
  /** The worker of this process, if it has one. */
  worker?: { isAlive(): boolean; onEnd(tell: (ended: Ended) => void): void } | undefined;
  countOverdue(): Promise<number>;
};

/** Adds the metrics of jobs: runs are those of this process, what is overdue is asked of the database. */
export function addJobMetrics(registry: Registry, { worker, countOverdue }: JobsSeen): void {
  const registers = [registry];
  new Gauge({
    name: 'cairn_jobs_overdue',
    help: 'Jobs that wait for longer than a living worker lets them.',
    registers,
    async collect() {
      // Without an answer the metric is missing, not 0.
      await countOverdue().then(
        (count) => this.set(count),
        () => this.reset(),
      );
    },
  });
  if (worker === undefined) return;
  const runs = new Counter({
    name: 'cairn_job_runs_total',
    help: 'Runs of jobs by kind and outcome: succeeded, failed, released or lost.',
    labelNames: ['kind', 'outcome'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'cairn_job_seconds',
    help: 'Runs of jobs by kind.',
    labelNames: ['kind'] as const,
    buckets: SECONDS,
    registers,
  });
  const succeeded = new Gauge({
    name: 'cairn_job_last_success_timestamp',
    help: 'When a job last succeeded here, in seconds since 1970.',
    labelNames: ['kind'] as const,
    registers,
  });
  worker.onEnd(({ kind, outcome, seconds: taken }) => {
    runs.inc({ kind, outcome });
    seconds.observe({ kind }, taken);
    if (outcome === 'succeeded') succeeded.set({ kind }, Date.now() / 1_000);
  });
}
