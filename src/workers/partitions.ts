import { analyzeRecords, dropPartitions, makePartitions } from '../services/records.ts';
import type { JobKind } from './job.ts';

/** Makes the partitions of records two months ahead, drops those that may go, and refreshes their statistics. */
export const partitions: JobKind = {
  kind: 'partitions',
  scope: 'installation',
  everySeconds: 86_400,
  needs: 'database',
  async run({ db, log }, { actor }) {
    const { made } = await makePartitions({ db, actor }, {});
    const dropped = await dropPartitions({ db, actor });
    await analyzeRecords({ db, actor }, {});
    if (made.length + dropped.length > 0) log.info({ made, dropped }, 'made and dropped partitions');
  },
};
