import type { Config } from '../config.ts';
import { archive } from './archive.ts';
import { backup } from './backup.ts';
import type { JobKind } from './job.ts';
import { partitions } from './partitions.ts';
import { purge } from './purge.ts';
import { retention } from './retention.ts';

/** Every kind of job that this program knows. */
const JOB_KINDS: readonly JobKind[] = Object.freeze([archive, backup, partitions, purge, retention]);

/** Lists the kinds that a database of this configuration has. */
export function jobKindsOf(config: Config): readonly JobKind[] {
  return JOB_KINDS.filter(({ isFor }) => isFor?.(config) ?? true);
}
