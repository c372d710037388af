import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Server } from './server.ts';

const FILE = 'memory.jsonl';
const OPEN = 'status: pending';

const entity = (name: string, observations: string[]) => ({ name, entityType: 'task', observations });

export const memory: Server = {
  name: 'reference memory',
  package: '@modelcontextprotocol/server-memory',
  command: ({ dir, folder }) => ({
    script: join(folder, 'dist/index.js'),
    env: { MEMORY_FILE_PATH: join(dir, FILE) },
    cwd: dir,
  }),
  async prepare({ dir, count }) {
    const names = Array.from({ length: count }, (_, at) => `Task ${at + 1}`);
    const lines = names.map((name, at) =>
      JSON.stringify({ type: 'entity', ...entity(name, [OPEN, `What there is to do in ${at}.`]) }),
    );
    await writeFile(join(dir, FILE), lines.join('\n'));
    return names;
  },
  create: (title, description) => ['create_entities', { entities: [entity(title, [OPEN, description])] }],
  created: (text) => /"name": "([^"]+)"/.exec(text)?.[1],
  update: (id, note) => ['add_observations', { observations: [{ entityName: id, contents: [note] }] }],
  list: ['read_graph', {}],
  next: ['search_nodes', { query: OPEN }],
  async claim(client, { agent }) {
    const id = /"name": "([^"]+)"/.exec(await client.call(['search_nodes', { query: OPEN }]))?.[1];
    if (id === undefined) return undefined;
    await client.call(['delete_observations', { deletions: [{ entityName: id, observations: [OPEN] }] }]);
    await client.call(['add_observations', { observations: [{ entityName: id, contents: [`taken by ${agent}`] }] }]);
    return id;
  },
  async stored({ dir }) {
    const lines = (await readFile(join(dir, FILE), 'utf8')).split('\n').filter((line) => line !== '');
    return lines.map((line) => ({ id: (JSON.parse(line) as { name: string }).name, text: line }));
  },
};
