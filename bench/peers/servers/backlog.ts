import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Server } from './server.ts';

const CONFIG = `project_name: "Bench"
default_status: "To Do"
statuses: ["To Do", "In Progress", "Done"]
remote_operations: false
check_active_branches: false
auto_commit: false
task_prefix: "task"
`;

const page = (number: number) => `---
id: TASK-${number}
title: Task ${number}
status: To Do
assignee: []
created_date: '2026-11-21 07:10'
labels: []
dependencies: []
ordinal: ${number * 1_000}
---

## Description

<!-- SECTION:DESCRIPTION:BEGIN -->
What there is to do in ${number}.
<!-- SECTION:DESCRIPTION:END -->
`;

export const backlog: Server = {
  name: 'Backlog.md',
  package: 'backlog.md',
  command: ({ dir, folder }) => ({ script: join(folder, 'cli.js'), args: ['mcp', 'start'], cwd: dir }),
  async prepare({ dir, count }) {
    spawnSync('git', ['init', '-q'], { cwd: dir });
    const tasks = join(dir, 'backlog/tasks');
    for (const name of ['tasks', 'drafts', 'completed', 'archive', 'docs', 'decisions', 'milestones']) {
      await mkdir(join(dir, 'backlog', name), { recursive: true });
    }
    await writeFile(join(dir, 'backlog/config.yml'), CONFIG);
    const numbers = Array.from({ length: count }, (_, at) => at + 1);
    for (const number of numbers) await writeFile(join(tasks, `task-${number} - Task-${number}.md`), page(number));
    return numbers.map((number) => `TASK-${number}`);
  },
  create: (title, description) => ['task_create', { title, description }],
  created: (text) => /Task (TASK-[\d.]+) - /.exec(text)?.[1],
  update: (id, note) => ['task_edit', { id, description: note }],
  list: ['task_list', {}],
  next: ['task_list', { ready: true, status: 'To Do', limit: 1 }],
  async claim(client, { agent }) {
    const text = await client.call(['task_list', { ready: true, status: 'To Do', limit: 1 }]);
    const id = /(TASK-[\d.]+) - /.exec(text)?.[1];
    if (id !== undefined) await client.call(['task_edit', { id, status: 'In Progress', assignee: [agent] }]);
    return id;
  },
  async stored({ dir }) {
    const folder = join(dir, 'backlog/tasks');
    const texts = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')));
    return texts.map((text) => ({ id: /^id: (\S+)/m.exec(text)?.[1] ?? '', text }));
  },
};
