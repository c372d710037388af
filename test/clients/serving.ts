// `cairn serve --auth` in a place.
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { freePort } from '../../bench/free-port.ts';
import { CLI } from '../../bench/rpc.ts';
import type { Place } from './place.ts';
import { start } from './run.ts';

type Serving = { url: string; ownerLink: string; stop(): Promise<void> };

const SERVE_MS_MAX = 600_000;

export async function startServing({ cwd, env }: Place, ...flags: string[]): Promise<Serving> {
  const port = await freePort();
  const args = [CLI, 'serve', '--auth', '--port', `${port}`, ...flags];
  const { child, ended } = start(execPath, args, { cwd, env, msMax: SERVE_MS_MAX });
  ended.catch(() => {});
  let ownerLink = '';
  for await (const line of createInterface({ input: child.stdout })) {
    ownerLink = /http\S+login\/owner\S+/.exec(line)?.[0] ?? '';
    if (ownerLink !== '') break;
  }
  if (ownerLink === '') throw new Error(`cairn serve ended: ${(await ended).err}`);
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    ownerLink,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
