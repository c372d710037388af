// One process of bench/load.mjs: the tools, without a protocol around them, over connections of its own.
import process from 'node:process';
import { SCOPES } from '../build/src/context.js';
import { postgresDatabase } from '../build/src/db/postgres.js';
import { createLog } from '../build/src/log.js';
import { toolNamed } from '../build/src/tools/catalog.js';
import { callTool } from '../build/src/tools/tool.js';

// So many turns until what is run often has been compiled and planned, as in a process of an hour ago.
const WARM_UP = 150;

const { connection, actor, seconds } = JSON.parse(process.argv[2] ?? '{}');
const db = postgresDatabase({ connection });
const ctx = { db, actor, log: createLog('error'), scopes: new Set(SCOPES) };

/** @type {number[]} */
const commands = [];
/** @type {number[]} */
const claims = [];

/** @param {string} tool @param {Record<string, unknown>} input */
async function call(tool, input) {
  const started = performance.now();
  const { structured } = await callTool(ctx, toolNamed(tool), input);
  const ms = performance.now() - started;
  commands.push(ms);
  if (tool === 'claim_task') claims.push(ms);
  return structured;
}

async function turn() {
  await call('create_tasks', { project: 'load', tasks: [{ title: 'Light the lantern' }] });
  const { task } = await call('claim_task', { project: 'load' });
  // Another agent may have been first.
  if (task !== undefined)
    await call('complete_task', { task: task.ref, lock_token: task.lock_token, summary: 'Done.' });
}

await callTool(ctx, toolNamed('create_project'), { slug: 'load', name: 'Load', idempotency_key: 'load' });
for (let at = 0; at < WARM_UP; at += 1) await turn();
process.send?.('ready');
await new Promise((resolve) => process.once('message', resolve));
commands.length = 0;
claims.length = 0;
const until = performance.now() + seconds * 1_000;
while (performance.now() < until) await turn();
process.send?.({ commands, claims });
await db.close();
process.disconnect();
