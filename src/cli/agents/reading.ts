import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import type { Agent } from '../../events/agents.ts';
import type { RunBrief } from '../../events/runs.ts';
import { agents as agentTools } from '../../tools/agents.ts';
import { perform } from '../local-context.ts';
import { readPages } from '../pagination.ts';

const AGENTS_MAX = 1_000;

export async function readAgents(ctx: Context, { all }: { all?: boolean | undefined } = {}): Promise<Agent[]> {
  const { items } = await readPages(
    AGENTS_MAX,
    (page) => perform(ctx, agentTools.commands.list_agents, { ...page, include_retired: all }),
    ({ agents }) => agents,
  );
  return items;
}

type RunsAsked = { agent?: string | undefined; open_only?: boolean | undefined };

/** Reads runs, the latest first. */
export async function readRuns(
  ctx: Context,
  asked: RunsAsked,
  limit: number,
): Promise<{ runs: RunBrief[]; more: boolean }> {
  const { items, more } = await readPages(
    limit,
    (page) => perform(ctx, agentTools.commands.list_runs, { ...page, ...asked }),
    ({ runs }) => runs,
  );
  return { runs: items, more };
}

/** Finds an agent by its name, whatever its case, or its id. Raises not_found. */
export async function findAgent(ctx: Context, given: string): Promise<Agent> {
  for (const all of [false, true]) {
    const known = await readAgents(ctx, { all });
    const found = known.find(({ id, name }) => id === given || name.toLowerCase() === given.toLowerCase());
    if (found !== undefined) return found;
  }
  throw new DomainError('not_found', `There is no agent ${given.slice(0, 80)} in this workspace.`, {
    hint: '`cairn agents` shows those there are; `cairn agent run -- claude` starts one.',
  });
}

/** What commands ask for, by id: they never change. */
export type Contents = Map<string, string>;

/** Adds what the commands of these runs ask for. */
export async function readContents(
  ctx: Context,
  runs: readonly RunBrief[],
  contents: Contents = new Map(),
): Promise<Contents> {
  const missing = new Set(runs.flatMap(({ command }) => (command === undefined ? [] : [command])));
  await Promise.all(
    [...missing]
      .filter((command) => !contents.has(command))
      .map(async (command) => {
        contents.set(command, (await perform(ctx, agentTools.commands.get_command, { command })).content);
      }),
  );
  return contents;
}

/** The beginning of what a run is to do. */
export function askedOf({ command = '' }: Pick<RunBrief, 'command'>, contents: Contents): string {
  return firstLine(contents.get(command) ?? '');
}

export function firstLine(content: string): string {
  return content.trim().split('\n', 1)[0] ?? '';
}

/** What a program said last tells more than how it began. */
export function lastLine(content: string): string {
  return content.trim().split('\n').at(-1)?.trim() ?? '';
}

/** A reason beside the name of its agent, which it need not repeat. */
export function besideName(why: string, agent: string): string {
  return why.startsWith(`${agent} `) ? why.slice(agent.length + 1) : why;
}
