import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SQL = 'supabase/migrations/20301231000000_newer.sql';

let home: string;
let older: Agent;
const agents: Agent[] = [];

type Agent = { call(name: string, args?: Record<string, unknown>): Promise<string>; close(): Promise<void> };

/** A server of a build over stdio, on the one data directory. */
async function start(root: string): Promise<Agent> {
  const client = new Client({ name: 'two-builds', version: '1.0.0' });
  const args = [
    join(root, 'dist/cli.js'),
    '--data-dir',
    join(home, 'data'),
    '--log-level',
    'silent',
    '--toolsets',
    'all',
  ];
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: 'inherit' }));
  const agent: Agent = {
    async call(name, given = {}) {
      const { content } = await client.callTool({ name, arguments: given });
      return (content as { text: string }[]).map(({ text }) => text).join('\n');
    },
    close: () => client.close(),
  };
  agents.push(agent);
  return agent;
}

/** The build of a later version: a column more, and a function that has another name. */
async function makeNewer(): Promise<string> {
  const root = join(home, 'newer');
  await mkdir(root);
  for (const name of ['dist', 'supabase']) await cp(join(ROOT, name), join(root, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'), 'junction');
  const about = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  await writeFile(join(root, 'package.json'), JSON.stringify({ ...about, version: '99.0.0' }));
  await writeFile(
    join(root, SQL),
    'alter table public.projects add column colour text; drop function public.list_decisions;',
  );
  const decisions = join(root, 'supabase/code/160_decisions.sql');
  const renamed = (await readFile(decisions, 'utf8')).replaceAll('public.list_decisions(', 'public.list_choices(');
  await writeFile(decisions, renamed);
  return root;
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn-builds-'));
  // When root runs the tests, the database belongs to another account, which needs access to this directory.
  await chmod(home, 0o755);
  older = await start(ROOT);
  await older.call('create_project', { name: 'Web', slug: 'web' });
});

afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });
});

describe('two builds on one data directory', () => {
  test('the newer one migrates while the older one runs, which goes on with what still fits', async () => {
    const newer = await start(await makeNewer());

    expect(await newer.call('create_tasks', { project: 'web', tasks: [{ title: 'Of the newer' }] })).toContain('web-1');
    expect(await older.call('create_tasks', { project: 'web', tasks: [{ title: 'Of the older' }] })).toContain('web-2');
    expect(await older.call('list_tasks', { project: 'web' })).toContain('Of the newer');
  });

  test('what does not fit is answered with what to do', async () => {
    expect(await older.call('list_decisions', { project: 'web' })).toMatch(/^unavailable: Restart: Cairn was updated/);
  });

  test('an older one that starts again works, and leaves the newer code in place', async () => {
    const again = await start(ROOT);

    expect(await again.call('list_tasks', { project: 'web' })).toContain('Of the older');
    expect(await again.call('list_decisions', { project: 'web' })).toMatch(/^unavailable: /);
  });
});
