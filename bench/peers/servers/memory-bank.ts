import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { ToolCall } from '../client.ts';
import type { Server, Stored } from './server.ts';

type Task = { id: string; version: number };

const LIMIT = 100_000;
const NEXT: ToolCall = ['get_next_task', {}];
// The versions of changed tasks: an update names the version that it changes.
const versions = new Map<string, number>();

function create(title: string, summary: string): ToolCall {
  const task = { containerType: 'task', title, summary, priority: 'MEDIUM', complexity: 3 };
  return ['manage_container', { operation: 'create', ...task }];
}

function created(text: string): string | undefined {
  return (JSON.parse(text) as { data?: { task?: Task } }).data?.task?.id;
}

export const memoryBank: Server = {
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
    const ids: string[] = [];
    for (let number = 1; number <= count; number += 1) {
      const made = await client.call(create(`Task ${number}`, `What there is to do in ${number}.`));
      ids.push(created(made) ?? '');
    }
    await client.stop();
    return ids;
  },
  create,
  created,
  update(id, note, { dir }) {
    const key = `${dir} ${id}`;
    const version = (versions.get(key) ?? 0) + 1;
    versions.set(key, version);
    return ['manage_container', { operation: 'update', containerType: 'task', id, summary: note, version }];
  },
  list: ['query_container', { operation: 'search', containerType: 'task', limit: LIMIT }],
  next: NEXT,
  async claim(client) {
    const { data } = JSON.parse(await client.call(NEXT)) as { data?: Task };
    if (!data?.id) return undefined;
    await client.call(['advance', { containerType: 'task', id: data.id, version: data.version }]);
    return data.id;
  },
  async stored({ dir, runtime }) {
    const query = 'select id, title, summary as text from tasks';
    const script = `import { Database } from 'bun:sqlite';
      console.log(JSON.stringify(new Database(${JSON.stringify(join(dir, 'tasks.db'))}).query('${query}').all()))`;
    const { stdout, stderr, status } = spawnSync(runtime ?? 'bun', ['-e', script], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    if (status !== 0) throw new Error(stderr.slice(0, 200));
    return JSON.parse(stdout) as Stored[];
  },
};
