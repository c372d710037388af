import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const FILE = 'tasks.db';
const TODO = ['get_tasks', { status: 'todo', limit: 1 }];

/** @type {import('./servers.mjs').Server} */
export const ohno = {
  name: 'ohno',
  package: '@stevestomp/ohno-mcp',
  command: ({ dir, folder }) => ({
    script: join(folder, 'dist/index.js'),
    env: { OHNO_DB_PATH: join(dir, FILE) },
    cwd: dir,
  }),
  /** The server makes the file and its first task; the others are copies of that row. */
  async prepare({ dir, folder, count, open }) {
    const client = await open();
    const first = this.created(await client.call(this.create('Task 1', 'What there is to do in 1.')));
    await client.stop();
    await edit({ dir, folder }, (db) => {
      const columns = db.exec('select * from tasks')[0]?.columns.filter((name) => name !== 'id' && name !== 'title');
      for (let number = 2; number <= count; number += 1) {
        db.run(`insert into tasks (id, title, ${columns}) select ?, ?, ${columns} from tasks where id = ?`, [
          `task-${number}`,
          `Task ${number}`,
          first,
        ]);
      }
    });
    return [first, ...Array.from({ length: count - 1 }, (_, at) => `task-${at + 2}`)];
  },
  create: (title, description) => ['create_task', { title, description }],
  created: (text) => JSON.parse(text).task_id,
  update: (id, note) => ['update_task', { task_id: id, description: note }],
  list: ['get_tasks', {}],
  next: ['get_next_task', {}],
  async claim(client) {
    const id = JSON.parse(await client.call(TODO)).tasks?.[0]?.id;
    if (id !== undefined) await client.call(['update_task_status', { task_id: id, status: 'in_progress' }]);
    return id;
  },
  async stored(place) {
    let rows = [];
    await edit(place, (db) => {
      rows = db.exec('select id, description from tasks')[0]?.values ?? [];
    });
    return rows.map(([id, text]) => ({ id, text: text ?? '' }));
  },
};

async function edit({ dir, folder }, change) {
  // The library that the server itself keeps its file with.
  const initialise = createRequire(join(folder, 'package.json'))('sql.js');
  const SQL = await initialise();
  const db = new SQL.Database(await readFile(join(dir, FILE)));
  change(db);
  await writeFile(join(dir, FILE), db.export());
  db.close();
}
