// Measures the throughput of processes that each have one call in flight: commands (create, claim and complete) in one
// workspace for which all contend, or each in its own workspace.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { type Actor, type Database, NOBODY } from '../src/db/database.ts';
import { signInAs } from '../src/local.ts';
import type { Given, Taken } from './load-worker.ts';
import { type Sample, summary } from './sample.ts';

const WORKER = fileURLToPath(new URL('load-worker.js', import.meta.url));

type Target = { db: Database; connection: pg.ClientConfig };

export async function measureLoad(
  engine: string,
  target: Target,
  { processes, seconds }: { processes: number[]; seconds: number },
): Promise<string[]> {
  const rows: string[] = [];
  for (const count of processes) {
    for (const workspaces of count === 1 ? [1] : [1, count]) {
      const { commands, claims, claimMs, commandMs } = await run(target, { count, workspaces, seconds });
      rows.push(
        `| ${engine} | ${count} | ${workspaces} | ${Math.round(commands)} | ${pair(commandMs)} ms | ${Math.round(claims)} | ${pair(claimMs)} ms |`,
      );
    }
  }
  return rows;
}

async function run(
  { db, connection }: Target,
  { count, workspaces, seconds }: { count: number; workspaces: number; seconds: number },
) {
  const actors: Actor[] = [];
  for (let at = 0; at < workspaces; at += 1) {
    const identity = { issuer: 'bench', subject: `load-${count}-${workspaces}-${at}`, name: 'bench' };
    const { user_id, tenant_id } = await signInAs({ db, actor: NOBODY }, { identity });
    actors.push({ user_id, tenant_id, client: 'bench' });
  }
  const workers = Array.from({ length: count }, (_, at) => {
    const given: Given = {
      connection,
      actor: { ...NOBODY, ...actors[at % workspaces], agent: `agent-${at}` },
      seconds,
    };
    return fork(WORKER, [JSON.stringify(given)]);
  });
  const answers = workers.map((worker) => once(worker, 'message').then(([message]) => message));
  // All have connected and are warm before any is counted.
  await Promise.all(answers);
  const results = workers.map((worker) => once(worker, 'message').then(([message]) => message as Taken));
  for (const worker of workers) worker.send('go');
  const done = await Promise.all(results);
  const claims = done.flatMap((worker) => worker.claims);
  const commands = done.flatMap((worker) => worker.commands);
  return {
    commands: commands.length / seconds,
    claims: claims.length / seconds,
    commandMs: summary(commands),
    claimMs: summary(claims),
  };
}

function pair({ p50, p99 }: Sample): string {
  return `${p50.toFixed(1)} / ${p99.toFixed(1)}`;
}
