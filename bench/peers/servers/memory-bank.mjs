import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const LIMIT = 100_000;
// Of each task that was changed: an update names the version that it changes.
const versions = new Map();

/** @type {import('./servers.mjs').Server} */
export const memoryBank = {
  name: 'memory-bank',
  package: '@allpepper/task-orchestrator',
  runtime: 'bun',
  command: ({ dir, folder, runtime }) => ({
    program: runtime,
    script: join(folder, 'src/server.ts'),
    args: ['--stdio'],
    env: { TASK_ORCHESTRATOR_HOME: dir },
    cwd: dir,
    // It refuses in the text of an answer that is no error.
    isRefusal: (text) => /^\{\s*"success": false/.test(text),
  }),
  async prepare({ count, open }) {
    const client = await open();
    const ids = [];
    for (let number = 1; number <= count; number += 1) {
      ids.push(this.created(await client.call(this.create(`Task ${number}`, `What there is to do in ${number}.`))));
    }
    await client.stop();
    return ids;
  },
  create: (title, summary) => [
    'manage_container',
    { operation: 'create', containerType: 'task', title, summary, priority: 'MEDIUM', complexity: 3 },
  ],
  created: (text) => JSON.parse(text).data?.task?.id,
  update(id, note, { dir }) {
    const key = `${dir} ${id}`;
    const version = (versions.get(key) ?? 0) + 1;
    versions.set(key, version);
    return ['manage_container', { operation: 'update', containerType: 'task', id, summary: note, version }];
  },
  list: ['query_container', { operation: 'search', containerType: 'task', limit: LIMIT }],
  next: ['get_next_task', {}],
  async claim(client) {
    const { data } = JSON.parse(await client.call(this.next));
    if (!data?.id) return undefined;
    await client.call(['advance', { containerType: 'task', id: data.id, version: data.version }]);
    return data.id;
  },
  async stored({ dir, runtime }) {
    const query = 'select id, title, summary as text from tasks';
    const script = `import { Database } from 'bun:sqlite';
      console.log(JSON.stringify(new Database(${JSON.stringify(join(dir, 'tasks.db'))}).query('${query}').all()))`;
    const { stdout, stderr, status } = spawnSync(runtime, ['-e', script], { encoding: 'utf8', maxBuffer: 2 ** 28 });
    if (status !== 0) throw new Error(stderr.slice(0, 200));
    return JSON.parse(stdout);
  },
};
