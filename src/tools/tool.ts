import { createHash } from 'node:crypto';
import type * as z from 'zod';
import { type Context, mayUse, type Scope } from '../context.ts';
import type { Actor } from '../db/database.ts';
import { DomainError, domainErrorFrom, outdated } from '../errors.ts';
import { leftOut, line, word } from '../text.ts';
import { coerceInput, wholeRefs } from './coercion.ts';
import { type Fitted, fitResult, fitText } from './fit.ts';
import { inputError } from './input-error.ts';
import { lossesOf } from './left-out.ts';

type Effect = 'read' | 'write' | 'destructive';

type Taking<Input extends z.ZodObject> = {
  title: string;
  description: string;
  effect: Effect;
  /** A tool of the first minute: a client that loads tools on demand has it at once. */
  alwaysLoaded?: true;
  /** A read whose answer depends on the worker's locks; every write belongs to a worker. */
  takesWorker?: true;
  /** Its answer is only for the asking agent: another agent's equal key is a different one. */
  keyedByAgent?: true;
  /** Repeating it changes nothing more, so that it needs no idempotency_key. */
  idempotent?: true;
  input: Input;
  run(ctx: Context, input: z.output<Input>): Promise<unknown>;
};

type Giving<Output extends z.ZodObject> = {
  output: Output;
  run(ctx: Context, input: never): Promise<z.output<Output>>;
  /** Formats the text for an agent; it is enough to act on. */
  render(result: z.output<Output>): string;
};

export type Tool = Taking<z.ZodObject> &
  Giving<z.ZodObject> & {
    name: string;
    scope: Scope;
    annotations: { readOnlyHint: boolean; destructiveHint: boolean; idempotentHint: boolean; openWorldHint: boolean };
  };

/** `purpose` is a phrase for README's table. */
export type Toolset = { name: string; purpose: string; description: string; tools: Tool[] };

const IdempotencyKey = word(200)
  .refine((key) => leftOut(key) === undefined, 'must be of characters that can be stored')
  .optional();
// Names one of a client's workers: each has its own locks.
const Worker = line(40)
  .refine((name) => /^[\w.@#+-]+$/.test(name), 'must be one word of letters, digits and _ . @ # + -, like worker-2')
  .optional();

/** Gives each definition its name, scope, annotations and idempotency_key. */
export function toolset<Inputs extends Record<string, z.ZodObject>, Outputs extends Record<string, z.ZodObject>>(
  name: string,
  { purpose, description, scopes }: { purpose: string; description: string; scopes: 'projects' | 'tasks' | 'admin' },
  // Two type parameters, so that the compiler infers both schemas of each tool and checks `run` and `render` against
  // them.
  definitions: { [Name in keyof Inputs]: Taking<Inputs[Name]> } & { [Name in keyof Outputs]: Giving<Outputs[Name]> },
): Toolset {
  const tools = Object.entries(definitions).map(([toolName, definition]): Tool => {
    const { effect, idempotent = false, takesWorker = false, input } = definition;
    const reads = effect === 'read';
    return {
      ...definition,
      name: toolName,
      scope: scopes === 'admin' ? 'admin' : `${scopes}:${reads ? 'read' : 'write'}`,
      input: input.extend({
        ...((!reads || takesWorker) && { as: Worker }),
        ...(!reads && !idempotent && { idempotency_key: IdempotencyKey }),
      }),
      annotations: {
        readOnlyHint: reads,
        destructiveHint: effect === 'destructive',
        idempotentHint: reads || idempotent,
        openWorldHint: false,
      },
    };
  });
  return { name, purpose, description, tools };
}

/** `notices`: the end of the text, for which the data has no place. */
export type ToolAnswer = { text: string; structured: Record<string, unknown>; notices: string[] };

/** The one path of a call: scope, parse, fingerprint, run, render. Every failure is a DomainError. */
export async function callTool(ctx: Context, tool: Tool, args: unknown): Promise<ToolAnswer> {
  try {
    authorise(ctx, tool);
    const given = wholeRefs(coerceInput(tool.input, args ?? {}), ctx.project);
    const parsed = parse(tool, given);
    const { idempotency_key, as, ...input } = parsed;
    const actor = workerOf(ctx.actor, as);
    const whose = tool.keyedByAgent ? agentOf(actor) : as;
    const command = {
      name: tool.name,
      ...keyed(tool, idempotency_key, whose === undefined ? [input] : [input, whose]),
    };
    const { fitted, notice } = await runFitting({ ...ctx, actor, command }, tool, input).finally(() =>
      ctx.acted?.(agentOf(actor)),
    );
    const notices = [
      ...(notice === undefined ? [] : [notice]),
      ...(tool.effect === 'read' ? [] : lossesOf(given, parsed)),
    ];
    return { structured: fitted, text: [fitText(tool.render(fitted)), ...notices].join('\n'), notices };
  } catch (thrown) {
    const error = domainErrorFrom(thrown);
    if (error.code === 'internal') ctx.log.error({ tool: tool.name, err: error.cause ?? error }, 'tool failed');
    throw error;
  }
}

/** Reads an oversized page again, smaller, so that its cursor follows the last shown item. */
async function runFitting(ctx: Context, tool: Tool, input: Record<string, unknown>): Promise<Fitted> {
  const answer = tool.output.safeParse(await tool.run(ctx, input));
  if (!answer.success) {
    ctx.log.error({ tool: tool.name, err: answer.error }, 'an answer of another form');
    throw outdated(answer.error);
  }
  const found = fitResult(answer.data);
  const { page_size } = input;
  if (found.share === undefined || typeof page_size !== 'number' || page_size === 1) return found;
  return runFitting(ctx, tool, { ...input, page_size: Math.max(1, Math.floor(page_size * found.share * 0.9)) });
}

/** Names the actor if a client says which of its workers calls: `claude-code#f33e/tests`. */
function workerOf(actor: Actor, worker: unknown): Actor {
  if (typeof worker !== 'string') return actor;
  return { ...actor, agent: `${agentOf(actor)}/${worker}`, worker };
}

function agentOf({ agent, client }: Actor): string {
  return agent ?? client ?? 'agent';
}

function authorise(ctx: Context, tool: Tool): void {
  if (mayUse(ctx.scopes, tool.scope)) return;
  throw new DomainError('insufficient_scope', `${tool.name} needs the scope ${tool.scope}.`, {
    hint: 'Ask the person you work for to grant it.',
    details: { scope: tool.scope },
  });
}

function parse(tool: Tool, given: unknown): Record<string, unknown> {
  const parsed = tool.input.safeParse(given);
  if (!parsed.success) throw inputError(tool, parsed.error, given);
  return parsed.data;
}

function keyed(tool: Tool, key: unknown, asked: unknown[]): { key?: string; fingerprint?: string } {
  if (typeof key !== 'string') return {};
  return {
    key,
    fingerprint: createHash('sha256')
      .update(JSON.stringify([tool.name, ...asked]))
      .digest('hex'),
  };
}
