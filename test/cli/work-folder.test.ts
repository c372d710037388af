import { describe, expect, test } from 'vitest';
import { openDriver } from '../../src/cli/runner/work-folder.ts';

describe('the folder in which an agent works', () => {
  test.each(['', ' ', '/there/is/none'])(
    'is refused where it is "%s", before anything is started',
    async (workspace) => {
      const started: string[] = [];
      const open = async (cwd: string) => {
        started.push(cwd);
        return {} as never;
      };

      const attempt = openDriver({ workspace, agent: 'heron', dataDir: '/data', env: {}, open });

      await expect(attempt).rejects.toMatchObject({ code: 'invalid_input', mistyped: true });
      expect(started).toEqual([]);
    },
  );
});
