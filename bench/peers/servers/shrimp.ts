import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Server } from './server.ts';

const FILE = 'data/tasks.json';

export const shrimp: Server = {
  name: 'Shrimp',
  package: 'mcp-shrimp-task-manager',
  command: ({ dir, folder }) => ({
    script: join(folder, 'dist/index.js'),
    env: { DATA_DIR: join(dir, 'data'), ENABLE_GUI: 'false', TEMPLATES_USE: 'en' },
    cwd: dir,
  }),
  async prepare({ dir, count }) {
    await mkdir(join(dir, 'data'), { recursive: true });
    const at = new Date().toISOString();
    const tasks = Array.from({ length: count }, (_, number) => ({
      id: randomUUID(),
      name: `Task ${number + 1}`,
      description: `What there is to do in ${number}.`,
      status: 'pending',
      dependencies: [],
      createdAt: at,
      updatedAt: at,
      implementationGuide: 'Do it.',
    }));
    await writeFile(join(dir, FILE), JSON.stringify({ tasks }, null, 2));
    return tasks.map(({ id }) => id);
  },
  create: (title, description) => [
    'split_tasks',
    {
      updateMode: 'append',
      tasksRaw: JSON.stringify([{ name: title, description, implementationGuide: 'Do it.', dependencies: [] }]),
    },
  ],
  created: (text) => /\*\*ID:\*\* `([^`]+)`/.exec(text)?.[1],
  update: (id, note) => ['update_task', { taskId: id, notes: note }],
  list: ['list_tasks', { status: 'all' }],
  next: ['list_tasks', { status: 'pending' }],
  async claim(client) {
    const id = /\*\*ID:\*\* `([^`]+)`/.exec(await client.call(['list_tasks', { status: 'pending' }]))?.[1];
    if (id !== undefined) await client.call(['execute_task', { taskId: id }]);
    return id;
  },
  async stored({ dir }) {
    const { tasks } = JSON.parse(await readFile(join(dir, FILE), 'utf8')) as { tasks: { id: string }[] };
    return tasks.map((task) => ({ id: task.id, text: JSON.stringify(task) }));
  },
};
