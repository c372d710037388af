import type { Context } from '../../src/context.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';

type Held = { ref: string; lock_token: number; version: number; [field: string]: unknown };

/** The fields of answers that tests use later. */
export type Called = { id: string; version: number; task: Held; tasks: Held[]; [field: string]: unknown };

/** Calls a tool as an agent would; a refusal is a DomainError. */
export async function call(ctx: Context, tool: string, input: Record<string, unknown> = {}): Promise<Called> {
  return (await callTool(ctx, toolNamed(tool), input)).structured as Called;
}

/** Claims that task and answers with what later calls on it name: its ref and lock_token. */
export async function take(ctx: Context, task: string, input: Record<string, unknown> = {}): Promise<Lock> {
  const { task: held } = await call(ctx, 'claim_task', { task, ...input });
  return { task: held.ref, lock_token: held.lock_token };
}
export type Lock = { task: string; lock_token: number };

/** A project named `web` with these tasks: web-1, web-2, … */
export async function plan(ctx: Context, tasks: Record<string, unknown>[], rules = {}): Promise<void> {
  await call(ctx, 'create_project', { slug: 'web', name: 'Web', rules });
  if (tasks.length > 0) await call(ctx, 'create_tasks', { project: 'web', tasks });
}

/** Only a person acts without the name of an agent. */
export function person({ actor: { agent: _, ...actor }, ...ctx }: Context): Context {
  return { ...ctx, actor };
}
