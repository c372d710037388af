import { join } from 'node:path';
import * as z from 'zod';
import { isEmbedded } from '../brief-files.ts';
import { archiveRecords, removeFiles } from '../services/records.ts';
import type { JobKind, Machine, Run } from './job.ts';

/** `to` is a place for files, by default the data directory of an embedded database. */
const Settings = z.object({ to: z.string().min(1).max(1_000).optional() });

/**
 * Moves old records of every workspace to files, and deletes files that are kept no longer. Where there is no place for
 * files, records stay in the database until they are too old to keep.
 */
export const retention: JobKind = {
  kind: 'retention',
  scope: 'installation',
  everySeconds: 86_400,
  maxSeconds: 43_200,
  needs: 'machine',
  async run({ db, blobs, log, config }, { actor, settings, signal }) {
    const { to = isEmbedded(config) ? join(config.dataDir, 'archive') : undefined } = Settings.parse(settings);
    try {
      if (to !== undefined) await archiveAll({ db, blobs, log, actor, signal }, to);
    } finally {
      await removeFiles({ db, actor, blobs });
    }
  },
};

async function archiveAll(
  { log, signal, ...parts }: Pick<Machine, 'db' | 'blobs' | 'log'> & Pick<Run, 'actor' | 'signal'>,
  to: string,
): Promise<void> {
  for await (const part of archiveRecords(parts, to)) {
    log.info({ ...part }, 'archived records');
    signal.throwIfAborted();
  }
}
