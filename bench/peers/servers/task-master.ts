import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Server } from './server.ts';

const FILE = '.taskmaster/tasks/tasks.json';

export const taskMaster: Server = {
  name: 'Task Master',
  package: 'task-master-ai',
  command: ({ dir, folder }) => ({
    script: join(folder, 'dist/mcp-server.js'),
    // The set that its documents recommend; `all` has 44 tools.
    env: { TASK_MASTER_TOOLS: 'standard', TASK_MASTER_PROJECT_ROOT: dir },
    cwd: dir,
  }),
  async prepare({ dir, count }) {
    await mkdir(join(dir, '.taskmaster/tasks'), { recursive: true });
    await writeFile(join(dir, '.taskmaster/state.json'), '{"currentTag":"master"}');
    await writeFile(join(dir, '.taskmaster/config.json'), '{"global":{"logLevel":"error"}}');
    const tasks = Array.from({ length: count }, (_, at) => ({
      id: String(at + 1),
      title: `Task ${at + 1}`,
      description: `What there is to do in ${at}.`,
      details: '',
      testStrategy: '',
      status: 'pending',
      dependencies: [],
      priority: 'medium',
      subtasks: [],
    }));
    await writeFile(join(dir, FILE), JSON.stringify({ master: { tasks, metadata: {} } }, null, 2));
    return tasks.map(({ id }) => id);
  },
  create: (title, description, { dir }) => ['add_task', { projectRoot: dir, title, description }],
  created: (text) => /"taskId": (\d+)/.exec(text)?.[1],
  // Its tools change a text through a model alone; the status is what can be changed without one.
  update: (id, _note, { dir }) => ['set_task_status', { projectRoot: dir, id, status: 'review' }],
  isUpdated: ({ text }) => text.includes('"status":"review"'),
  list: ({ dir }) => ['get_tasks', { projectRoot: dir }],
  next: ({ dir }) => ['next_task', { projectRoot: dir }],
  async claim(client, { dir }) {
    const text = await client.call(['get_tasks', { projectRoot: dir, status: 'pending' }]);
    const id = /"id": "?(\d+)/.exec(text)?.[1];
    if (id === undefined) return undefined;
    await client.call(['set_task_status', { projectRoot: dir, id, status: 'in-progress' }]);
    return id;
  },
  async stored({ dir }) {
    const { master } = JSON.parse(await readFile(join(dir, FILE), 'utf8')) as { master: { tasks: { id: string }[] } };
    return master.tasks.map((task) => ({ id: String(task.id), text: JSON.stringify(task) }));
  },
};
