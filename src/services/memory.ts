import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { append } from '../events/append.ts';
import { MEMORY_KINDS, MEMORY_SCOPES, Memory, MemoryNoted, memoryRemembered } from '../events/memory.ts';
import { ProjectRef } from '../events/projects.ts';
import { line } from '../text.ts';
import { idListedBy } from './listed-id.ts';
import { page } from './pagination.ts';
import { getProject } from './projects.ts';
import { showsTasks } from './visible-scopes.ts';

const CHARACTERS_A_TOKEN = 4;

export const Remember = z.strictObject({
  ...MemoryNoted.shape,
  scope: z
    .enum(MEMORY_SCOPES)
    .default('project')
    .describe('Who gets it later: this run, you in any project, all in the project, all in the workspace.'),
  run: idListedBy('list_runs').optional().describe('Default: the run that you do now.'),
  project: ProjectRef.optional(),
});

/** Notes something for later; what was noted under the same key is superseded. */
export async function remember(ctx: Context, { project, ...data }: z.output<typeof Remember>): Promise<Memory> {
  const about =
    data.scope === 'project' && data.task === undefined ? { project: await projectOf(ctx, project) } : { project };
  const { events, followed } = await append(ctx, [memoryRemembered({ ...data, ...about })]);
  const noted = events[0].state;
  return shown(ctx, followed.length === 0 ? noted : await readAgain(ctx, noted));
}

/** What it supersedes is marked after it. */
async function readAgain(ctx: Context, noted: Memory): Promise<Memory> {
  const { memories } = await listMemories(ctx, { memory: noted.id, page_size: 100 });
  return memories.find(({ id }) => id === noted.id) ?? noted;
}

/** Others than those of a project need none, and are not kept to the one that is configured. */
async function projectOf(ctx: Context, named: string | undefined): Promise<string> {
  return named ?? ctx.project ?? (await getProject(ctx, {})).project.slug;
}

export const Recall = z.strictObject({
  query: line(500).optional().describe('Words, as in search. Default: the most relevant.'),
  key: MemoryNoted.shape.key.optional().describe('Only what is remembered under this key.'),
  scope: z.enum(MEMORY_SCOPES).optional(),
  kind: z.enum(MEMORY_KINDS).optional(),
  project: ProjectRef.optional(),
  include_all: z
    .boolean()
    .default(false)
    .describe('Also what is superseded or expired, and what is for other agents and runs.'),
  tokens_max: z.int().min(50).max(7_000).default(1_000).describe('How long the answer may be, about.'),
});

export const Recalled = z.object({
  memories: z.array(Memory),
  left_out: z.int().optional().describe('Others that did not fit.'),
});
export type Recalled = z.infer<typeof Recalled>;

const recallMemories = sqlFunction('recall_memories', Recalled);

/** Reads what is remembered, the most relevant first, within a budget. */
export async function recall(
  ctx: Context,
  { tokens_max, project = ctx.project, ...chosen }: z.output<typeof Recall>,
): Promise<Recalled> {
  return shownMemories(
    ctx,
    await recallMemories(ctx, { ...chosen, project, characters: CHARACTERS_A_TOKEN * tokens_max }),
  );
}

export function shownMemories(ctx: Context, found: Recalled): Recalled {
  return { ...found, memories: found.memories.map((memory) => shown(ctx, memory)) };
}

/** Leaves out the task, for callers who may not read tasks. */
function shown(ctx: Context, { task, ...memory }: Memory): Memory {
  return { ...memory, ...(task !== undefined && showsTasks(ctx) && { task }) };
}

export const ListMemories = z.strictObject({
  project: ProjectRef.optional(),
  memory: idListedBy('recall').optional(),
  scope: z.enum(MEMORY_SCOPES).optional(),
  kind: z.enum(MEMORY_KINDS).optional(),
  status: z.enum(['proposed', 'all']).optional(),
  ...page(20, 100),
});

const MemoryPage = z.object({ memories: z.array(Memory), next_cursor: z.string().optional() });
export type MemoryPage = z.infer<typeof MemoryPage>;

export const listMemories = sqlFunction('list_memories', MemoryPage);

export const DecideMemory = z.strictObject({
  memory: idListedBy('recall'),
  decision: z.enum(['approved', 'declined', 'forgotten']),
});

/** Records what a person makes of a memory. SQL refuses it from an agent. Raises forbidden, illegal_transition. */
export const decideMemory = sqlFunction('decide_memory', Memory);
