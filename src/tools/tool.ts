import * as z from 'zod';
import { type Context, isScope, type Scope } from '../context.ts';
import { domainErrorFrom } from '../errors.ts';
import { leftOut, line, word } from '../text.ts';
import { coerceInput, wholeRefs } from './coercion.ts';
import { type Command, runCommand } from './command.ts';
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
  keyedByAgent?: true;
  /** The scope that it needs, where its effect does not tell which of the toolset's. */
  scope?: Scope;
  /** Repeating it changes nothing more, so that it needs no idempotency_key. */
  idempotent?: true;
  input: Input;
  run(ctx: Context, input: z.output<Input>): Promise<unknown>;
};

type Giving<Output extends z.ZodObject> = {
  output: Output;
  run(ctx: Context, input: never): Promise<z.output<Output>>;
  /** Leaves out what `run` tells besides, for a caller who knows what it sent. */
  brief?(result: z.output<Output>): z.output<Output>;
  /** Formats the text for an agent; it is enough to act on. */
  render(result: z.output<Output>): string;
};

export type Tool = Command<Record<string, unknown>> &
  Giving<z.ZodObject> &
  Omit<Taking<z.ZodObject>, 'run'> & {
    annotations: { readOnlyHint: boolean; destructiveHint: boolean; idempotentHint: boolean; openWorldHint: boolean };
  };

/** Scopes, each with the words by which a person is asked to grant it. */
export type ScopeWords = Readonly<Partial<Record<Scope, string>>>;

type About = {
  /** A phrase for README's table. */
  purpose: string;
  description: string;
  /** The scope of the tools that read and that of those that write, or one of all; another toolset may have the same. */
  scopes: ScopeWords;
};

/** `commands` are the same tools by name, each with the type of its answer. */
export type Toolset<Commands = unknown> = About & {
  name: string;
  tools: Tool[];
  commands: Commands;
};

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
  about: About,
  // Two type parameters, so that the compiler infers both schemas of each tool and checks `run` and `render` against
  // them.
  definitions: { [Name in keyof Inputs]: Taking<Inputs[Name]> } & { [Name in keyof Outputs]: Giving<Outputs[Name]> },
): Toolset<{ [Name in keyof Outputs]: Command<z.output<Outputs[Name]>> }> {
  const tools = Object.entries(definitions).map(([toolName, definition]): Tool => {
    const { effect, idempotent = false, takesWorker = false, input } = definition;
    const reads = effect === 'read';
    return {
      ...definition,
      name: toolName,
      scope: definition.scope ?? scopeFor(about.scopes, reads ? 'read' : 'write'),
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
  const commands = Object.fromEntries(tools.map((tool) => [tool.name, tool])) as never;
  return { ...about, name, tools, commands };
}

function scopeFor(words: ScopeWords, effect: 'read' | 'write'): Scope {
  const scopes = Object.keys(words).filter(isScope);
  const found = scopes.find((scope) => scope === 'admin' || scope.endsWith(`:${effect}`));
  if (found === undefined) throw new Error(`No scope of ${scopes.join(', ')} is for tools that ${effect}.`);
  return found;
}

/** `notices`: the end of the text, for which the data has no place. */
export type ToolAnswer = { text: string; structured: Record<string, unknown>; notices: string[] };

/** The one path, with its prose: an agent's input is coerced, the answer cut to fit and told. */
export async function callTool(ctx: Context, tool: Tool, args: unknown): Promise<ToolAnswer> {
  let losses: string[] = [];
  const run = (inner: Context, input: Record<string, unknown>) => runFitting(inner, tool, input);
  try {
    const { fitted, notice } = await runCommand(ctx, { ...tool, run }, (schema) => {
      const given = wholeRefs(coerceInput(schema, args ?? {}), ctx.project);
      const parsed = parse(tool, given);
      if (tool.effect !== 'read') losses = lossesOf(given, parsed);
      return parsed;
    });
    const notices = [...(notice === undefined ? [] : [notice]), ...losses];
    return { structured: fitted, text: [fitText(tool.render(fitted)), ...notices].join('\n'), notices };
  } catch (thrown) {
    const error = domainErrorFrom(thrown);
    // An answer of another form has its faults as the cause.
    const isOurs = error.code === 'internal' || error.cause instanceof z.ZodError;
    if (isOurs) ctx.log.error({ tool: tool.name, err: error.cause ?? error }, 'tool failed');
    throw error;
  }
}

/** Reads an oversized page again, smaller, so that its cursor follows the last shown item. */
async function runFitting(ctx: Context, tool: Tool, input: Record<string, unknown>): Promise<Fitted> {
  const answer = await tool.run(ctx, input);
  const found = fitResult(tool.brief?.(answer) ?? answer);
  const { page_size } = input;
  if (found.share === undefined || typeof page_size !== 'number' || page_size === 1) return found;
  return runFitting(ctx, tool, { ...input, page_size: Math.max(1, Math.floor(page_size * found.share * 0.9)) });
}

function parse(tool: Tool, given: unknown): Record<string, unknown> {
  const parsed = tool.input.safeParse(given);
  if (!parsed.success) throw inputError(tool, parsed.error, given);
  return parsed.data;
}
