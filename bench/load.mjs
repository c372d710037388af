// What processes get done that each have one call in flight: commands (create, claim and complete) in one workspace that
// all contend for, or each in one of its own.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { summary } from './sample.mjs';

const WORKER = fileURLToPath(new URL('load-worker.mjs', import.meta.url));
const NOBODY = { user_id: '00000000-0000-0000-0000-000000000000' };

/** @typedef {{ db: import('../build/src/db/database.js').Database, connection: object }} Target */

/** @param {string} engine @param {Target} target @param {{ processes: number[], seconds: number }} how @returns {Promise<string[]>} */
export async function measureLoad(engine, target, { processes, seconds }) {
  const rows = [];
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

/** @param {Target} target @param {{ count: number, workspaces: number, seconds: number }} how */
async function run({ db, connection }, { count, workspaces, seconds }) {
  const actors = [];
  for (let at = 0; at < workspaces; at += 1) {
    const identity = { issuer: 'bench', subject: `load-${count}-${workspaces}-${at}`, name: 'bench' };
    const { user_id, tenant_id } = await db.call('sign_in', { identity }, NOBODY);
    actors.push({ user_id, tenant_id, client: 'bench' });
  }
  const workers = Array.from({ length: count }, (_, at) => {
    const actor = { ...actors[at % workspaces], agent: `agent-${at}` };
    return fork(WORKER, [JSON.stringify({ connection, actor, seconds })]);
  });
  const answers = workers.map((worker) => once(worker, 'message').then(([message]) => message));
  // All have connected and are warm before any is counted.
  await Promise.all(answers);
  const results = workers.map((worker) => once(worker, 'message').then(([message]) => message));
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

/** @param {import('./sample.mjs').Sample} sample */
function pair({ p50, p99 }) {
  return `${p50.toFixed(1)} / ${p99.toFixed(1)}`;
}
