import { CLI } from '../../rpc.ts';
import type { Server, Stored } from './server.ts';

const BATCH = 50;

export const cairn: Server = {
  name: 'Cairn',
  command: ({ dir, agent }) => ({
    script: CLI,
    args: ['--data-dir', dir, '--agent', agent, '--log-level', 'error'],
    cwd: dir,
  }),
  async prepare({ count, open }) {
    const client = await open();
    await client.call(['create_project', { slug: 'bench', name: 'Bench' }]);
    for (let from = 0; from < count; from += BATCH) {
      const tasks = Array.from({ length: Math.min(BATCH, count - from) }, (_, at) => ({
        title: `Task ${from + at + 1}`,
        description: `What there is to do in ${from + at}.`,
      }));
      await client.call(['create_tasks', { tasks }]);
    }
    await client.stop();
    return Array.from({ length: count }, (_, at) => `bench-${at + 1}`);
  },
  create: (title, description) => ['create_tasks', { tasks: [{ title, description }] }],
  created: (text) => /\bbench-\d+/.exec(text)?.[0],
  // A text is written over by who has read it; what is seen on the way is a note.
  update: (id, note) => ['record_event', { task: id, kind: 'progress', text: note }],
  list: ['list_tasks', {}],
  next: ['list_tasks', { ready: true, page_size: 1 }],
  /** Finding and taking are one call. */
  async claim(client) {
    return /You hold (\S+)/.exec(await client.call(['claim_task', {}]))?.[1];
  },
  async stored({ open }) {
    const client = await open();
    const tasks: string[] = [];
    let cursor: string | undefined;
    do {
      const text = await client.call(['list_tasks', { page_size: 100, ...(cursor && { cursor }) }]);
      tasks.push(...[...text.matchAll(/^(bench-\d+) \[/gm)].map(([, ref = '']) => ref));
      cursor = /pass cursor (\S+)/.exec(text)?.[1];
    } while (cursor !== undefined);
    const found: Stored[] = [];
    for (const id of tasks) found.push({ id, text: await client.call(['get_task', { task: id, timeline_size: 20 }]) });
    await client.stop();
    return found;
  },
};
