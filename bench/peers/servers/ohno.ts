import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { ToolCall } from '../client.ts';
import type { Place, Server } from './server.ts';

/** The part used here of the library with which the server itself keeps its file. */
type Sqlite = { Database: new (file: Uint8Array) => Database };
type Database = {
  exec(sql: string): { columns: string[]; values: string[][] }[];
  run(sql: string, values: unknown[]): void;
  export(): Uint8Array;
  close(): void;
};

const FILE = 'tasks.db';
const TODO: ToolCall = ['get_tasks', { status: 'todo', limit: 1 }];

function create(title: string, description: string): ToolCall {
  return ['create_task', { title, description }];
}

function created(text: string): string {
  return (JSON.parse(text) as { task_id: string }).task_id;
}

export const ohno: Server = {
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
    const first = created(await client.call(create('Task 1', 'What there is to do in 1.')));
    await client.stop();
    await edit({ dir, folder }, (db) => {
      const { columns: all = [] } = db.exec('select * from tasks')[0] ?? {};
      const columns = all.filter((name) => name !== 'id' && name !== 'title');
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
  create,
  created,
  update: (id, note) => ['update_task', { task_id: id, description: note }],
  list: ['get_tasks', {}],
  next: ['get_next_task', {}],
  async claim(client) {
    const { tasks } = JSON.parse(await client.call(TODO)) as { tasks?: { id: string }[] };
    const id = tasks?.[0]?.id;
    if (id !== undefined) await client.call(['update_task_status', { task_id: id, status: 'in_progress' }]);
    return id;
  },
  async stored(place) {
    let rows: string[][] = [];
    await edit(place, (db) => {
      rows = db.exec('select id, description from tasks')[0]?.values ?? [];
    });
    return rows.map(([id = '', text]) => ({ id, text: text ?? '' }));
  },
};

async function edit({ dir, folder }: Pick<Place, 'dir' | 'folder'>, change: (db: Database) => void): Promise<void> {
  const initialise = createRequire(join(folder, 'package.json'))('sql.js') as () => Promise<Sqlite>;
  const SQL = await initialise();
  const db = new SQL.Database(await readFile(join(dir, FILE)));
  change(db);
  await writeFile(join(dir, FILE), db.export());
  db.close();
}
