// One process of bench/load.ts: the tools, without a protocol around them, over connections of its own.
import process from 'node:process';
import type pg from 'pg';
import type * as z from 'zod';
import { blobStores } from '../src/blobs/open.ts';
import type { Context } from '../src/context.ts';
import type { Actor } from '../src/db/database.ts';
import { postgresDatabase } from '../src/db/postgres.ts';
import { createLog } from '../src/log.ts';
import type { Claim } from '../src/services/tasks.ts';
import { toolNamed } from '../src/tools/catalog.ts';
import { callTool } from '../src/tools/tool.ts';

// Turns until frequent code has been compiled and planned, as in a process that has run for an hour.
const WARM_UP = 150;

/** The input of the process, and its answer at the end: how long each command took, in milliseconds. */
export type Given = { connection: pg.ClientConfig; actor: Actor; seconds: number };
export type Taken = { commands: number[]; claims: number[] };

const { connection, actor, seconds } = JSON.parse(process.argv[2] ?? '{}') as Given;
const db = postgresDatabase({ connection });
const ctx: Context = { db, blobs: blobStores({}), actor, log: createLog('error'), scopes: 'all' };

const { commands, claims }: Taken = { commands: [], claims: [] };

async function call(tool: string, input: Record<string, unknown>): Promise<unknown> {
  const started = performance.now();
  const { structured } = await callTool(ctx, toolNamed(tool), input);
  const ms = performance.now() - started;
  commands.push(ms);
  if (tool === 'claim_task') claims.push(ms);
  return structured;
}

async function turn(): Promise<void> {
  await call('create_tasks', { project: 'load', tasks: [{ title: 'Light the lantern' }] });
  const { task } = (await call('claim_task', { project: 'load' })) as z.infer<typeof Claim>;
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
