import { isEmbedded } from '../brief-files.ts';
import type { Config } from '../config.ts';
import { archive } from './archive.ts';
import { backup } from './backup.ts';
import type { JobKind } from './job.ts';
import { partitions } from './partitions.ts';
import { purge } from './purge.ts';
import { retention } from './retention.ts';
import { runs } from './runs.ts';

/** Every kind of job that this program knows. */
const JOB_KINDS: readonly JobKind[] = Object.freeze([archive, backup, partitions, purge, retention, runs]);

/** Lists the kinds that a database of this configuration has. */
export function jobKindsOf(config: Config): readonly JobKind[] {
  return JOB_KINDS.filter(({ isFor }) => isFor?.(config) ?? true);
}

/** Tells whether a job needs `cairn serve` or `cairn worker`: beside agents others run by themselves. */
export function needsWorker(config: Config, kind: string): boolean {
  return !isEmbedded(config) || JOB_KINDS.find((one) => one.kind === kind)?.needs === 'machine';
}
