import * as z from 'zod';
import { type Config, thisHost } from '../config.ts';
import type { Context } from '../context.ts';
import { DomainError } from '../errors.ts';
import { type Local, openLocal } from '../local.ts';
import { createLog } from '../log.ts';
import { personName } from '../person-name.ts';
import { type Command, runCommand } from '../tools/command.ts';
import { inputSentences } from '../tools/input-error.ts';
import { lossesOf } from '../tools/left-out.ts';
import { writeOwnBrief } from '../tools/write-briefs.ts';
import { shellAgent } from './agents/shell-agent.ts';

type LocalContext = Context & { connect: Local['connect'] };

/** The id of another's workspace. */
export type WorkspaceOption = { workspace?: string };

/**
 * Opens the database for a command: a person acts, or the agent in whose shell it runs. What an agent types is recorded
 * as its own, and reaches another agent as its own, not as a person's order.
 */
export async function inLocalContext<T>(
  config: Config,
  run: (ctx: LocalContext) => Promise<T>,
  { workspace }: WorkspaceOption = {},
): Promise<T> {
  const { workspace: tenant_id } = parseGiven(z.object({ workspace: z.guid().optional() }), { workspace });
  // At the usual level a person would read that the database started before their answer.
  const log = createLog(config.logLevel === 'info' ? 'warn' : config.logLevel);
  // Found out while the database opens.
  const person = personName();
  const { db, blobs, user, actor: local, connect, hasGrown, close } = await openLocal(config, log, { person });
  // If the database trusts the program, the program acts for the owner of the workspace: a user's own has the user's
  // id.
  const actor = tenant_id === undefined ? local : { user_id: tenant_id, ...user, tenant_id };
  const shell = shellAgent(config, thisHost().env);
  try {
    return await run({
      db,
      blobs,
      connect,
      log,
      scopes: 'all',
      actor: { ...actor, agent: shell?.name ?? null, client: shell?.client ?? (await person) },
      project: config.project,
      ...(shell !== undefined && { keepsNoTokens: true }),
    });
  } finally {
    // Only for the own workspace: another one's project may have the same slug.
    if (hasGrown()) await writeOwnBrief({ db, blobs, actor: local, log, project: config.project }, config);
    await close();
  }
}

const OPTIONS: Readonly<Record<string, string>> = {
  acceptance_criteria: '--criterion',
  labels: '--label',
  page_size: '--limit',
  price_in: 'The price in',
  price_out: 'The price out',
  price_cached: '--cached',
  price_cache_written: '--cache-written',
  ref: 'The link',
  ...Object.fromEntries(['event', 'query', 'slug', 'task', 'text', 'title'].map((name) => [name, `The ${name}`])),
};

/** Names a field by the option that sets it. */
function optionNamed(path: readonly PropertyKey[]): string {
  const [field] = path[0] === 'tasks' ? path.slice(2) : path;
  const name = typeof field === 'string' ? field : 'What was given';
  return OPTIONS[name] ?? (/^[a-z_]+$/.test(name) ? `--${name.replaceAll('_', '-')}` : name);
}

/** Does something for a person. A refusal names the option, as `parseGiven` does. */
export function perform<Output>(ctx: Context, command: Command<Output>, given: object): Promise<Output> {
  return runCommand(ctx, command, (input) => parseGiven(input, given));
}

/**
 * Checks typed input against the service's schema. A refusal names the option, and its place where `placeOf` knows one.
 * Raises invalid_input.
 */
export function parseGiven<Schema extends z.ZodType>(
  schema: Schema,
  given: unknown,
  placeOf: (path: readonly PropertyKey[]) => string = () => '',
): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) {
    // Not in the answer, which a program may parse.
    for (const loss of lossesOf(given, parsed.data)) process.stderr.write(`! ${loss}\n`);
    return parsed.data;
  }
  throw new DomainError(
    'invalid_input',
    inputSentences(parsed.error, given, (path) => optionNamed(path) + placeOf(path)),
    {
      hint: 'The command with --help shows what it takes.',
      mistyped: true,
    },
  );
}
