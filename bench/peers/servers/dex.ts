import { spawnSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ToolCall } from '../client.ts';
import type { Server } from './server.ts';

type Task = { id: string; started_at: string | null };

const FILE = '.dex/tasks.jsonl';
const READY: ToolCall = ['list_tasks', { ready: true }];

export const dex: Server = {
  name: 'dex',
  package: '@zeeg/dex',
  command: ({ dir, folder }) => ({
    script: join(folder, 'dist/index.js'),
    args: ['mcp', '--storage-path', join(dir, '.dex')],
    cwd: dir,
  }),
  async prepare({ dir, count }) {
    spawnSync('git', ['init', '-q'], { cwd: dir });
    await mkdir(join(dir, '.dex'), { recursive: true });
    const at = new Date().toISOString();
    const tasks = Array.from({ length: count }, (_, number) => ({
      id: (number + 1).toString(36).padStart(8, '0'),
      parent_id: null,
      name: `Task ${number + 1}`,
      description: `What there is to do in ${number}.`,
      priority: 1,
      completed: false,
      result: null,
      metadata: null,
      created_at: at,
      updated_at: at,
      started_at: null,
      completed_at: null,
      blockedBy: [],
      blocks: [],
      children: [],
    }));
    await writeFile(join(dir, FILE), tasks.map((task) => `${JSON.stringify(task)}\n`).join(''));
    return tasks.map(({ id }) => id);
  },
  create: (name, description) => ['create_task', { name, description }],
  created: (text) => (JSON.parse(text) as Task).id,
  update: (id, note) => ['update_task', { id, description: note }],
  list: ['list_tasks', {}],
  next: READY,
  async claim(client) {
    const ready = JSON.parse(await client.call(READY)) as Task[];
    const free = ready.find(({ started_at }) => started_at === null);
    if (free === undefined) return undefined;
    await client.call(['update_task', { id: free.id, started_at: new Date().toISOString() }]);
    return free.id;
  },
  async stored({ dir }) {
    const lines = (await readFile(join(dir, FILE), 'utf8')).split('\n').filter((line) => line !== '');
    return lines.map((line) => ({ id: (JSON.parse(line) as Task).id, text: line }));
  },
};
