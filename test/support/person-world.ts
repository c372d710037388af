import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Ran } from './cairn.ts';
import { cairnHere } from './cairn-here.ts';
import { type Agent, connect } from './client.ts';
import { seedDataDir } from './data-dir.ts';

/** A person in a repository that is bound to the project `web`, and the agent `ada` beside them. */
export type PersonWorld = {
  home: string;
  repository: string;
  flags: string[];
  agent: Agent;
  run(args: string[], given?: Parameters<typeof cairnHere>[1]): Promise<Ran>;
  /** Runs a command and parses its JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: each command answers with something else
  json(...args: string[]): Promise<any>;
  close(): Promise<void>;
};

export async function openPersonWorld(): Promise<PersonWorld> {
  const home = await mkdtemp(join(tmpdir(), 'cairn-person-'));
  // A server started by root runs as another user, who must reach it.
  if (process.getuid?.() === 0) await chmod(home, 0o755);
  const repository = join(home, 'a repository');
  await mkdir(join(repository, 'src'), { recursive: true });
  await promisify(execFile)('git', ['init', '-q', repository]);
  const flags = ['--data-dir', join(home, 'data')];
  await seedDataDir(join(home, 'data'));
  const agent = await connect('v1 client', 'test', [...flags, '--agent', 'ada', '--toolsets', 'all']);
  const run: PersonWorld['run'] = (args, given = {}) => cairnHere([...flags, ...args], { cwd: repository, ...given });
  await run(['project', 'create', 'web', '--name', 'Web shop']);
  await run(['use', 'web']);
  return {
    home,
    repository,
    flags,
    agent,
    run,
    json: async (...args) => JSON.parse((await run([...args, '--json'])).stdout),
    async close() {
      await agent.close();
      await run(['db', 'stop']);
      await rm(home, { recursive: true, force: true });
    },
  };
}
