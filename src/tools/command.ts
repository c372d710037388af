import { createHash } from 'node:crypto';
import type * as z from 'zod';
import { type Context, mayUse, type Scope } from '../context.ts';
import type { Actor } from '../db/database.ts';
import { DomainError, domainErrorFrom } from '../errors.ts';

/** What can be done, as data: for an agent a tool, for a person a command or a form on a page. */
export type Command<Output = unknown> = {
  name: string;
  scope: Scope;
  /** Its answer is only for the asking agent: another agent's equal key is a different one. */
  keyedByAgent?: true | undefined;
  input: z.ZodObject;
  run(ctx: Context, input: Record<string, unknown>): Promise<Output>;
};

/** Reads what was given; a refusal speaks to whoever gave it. */
type Parse = (input: z.ZodObject) => Record<string, unknown>;

/** The one path of everything that is done: scope, parse, fingerprint, run. Every failure is a DomainError. */
export async function runCommand<Output>(ctx: Context, command: Command<Output>, parse: Parse): Promise<Output> {
  try {
    authorise(ctx, command);
    const { idempotency_key, as, ...input } = parse(command.input);
    const actor = workerOf(ctx.actor, as);
    const whose = command.keyedByAgent ? agentOf(actor) : as;
    const { name } = command;
    const asked = { name, ...keyed(name, idempotency_key, whose === undefined ? [input] : [input, whose]) };
    return await command.run({ ...ctx, actor, command: asked }, input).finally(() => ctx.acted?.(agentOf(actor)));
  } catch (thrown) {
    throw domainErrorFrom(thrown);
  }
}

/** Names the actor if a client says which of its workers calls: `claude-code#f33e/tests`. */
function workerOf(actor: Actor, worker: unknown): Actor {
  if (typeof worker !== 'string') return actor;
  return { ...actor, agent: `${agentOf(actor)}/${worker}`, worker };
}

function agentOf({ agent, client }: Actor): string {
  return agent ?? client ?? 'agent';
}

function authorise(ctx: Context, { name, scope }: Command): void {
  if (mayUse(ctx.scopes, scope)) return;
  throw new DomainError('insufficient_scope', `${name} needs the scope ${scope}.`, {
    hint: 'Ask the person you work for to grant it.',
    details: { scope },
  });
}

function keyed(name: string, key: unknown, asked: unknown[]): { key?: string; fingerprint?: string } {
  if (typeof key !== 'string') return {};
  return {
    key,
    fingerprint: createHash('sha256')
      .update(JSON.stringify([name, ...asked]))
      .digest('hex'),
  };
}
