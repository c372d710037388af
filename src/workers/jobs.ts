import type { Config } from '../config.ts';
import { archive } from './archive.ts';
import { backup } from './backup.ts';
import type { JobKind } from './job.ts';
import { purge } from './purge.ts';

/** Every kind of job that this program knows. */
const JOB_KINDS: readonly JobKind[] = Object.freeze([archive, backup, purge]);

/** Lists the kinds that a database of this configuration has. */
export function jobKindsOf(config: Config): readonly JobKind[] {
  return JOB_KINDS.filter(({ isFor }) => isFor?.(config) ?? true);
}
