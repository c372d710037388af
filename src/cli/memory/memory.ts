import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import type { Memory } from '../../events/memory.ts';
import { person } from '../../tools/person.ts';
import { followList } from '../following.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { isOfAll, readPages } from '../pagination.ts';
import { requirePerson } from '../require-person.ts';
import { shortId, wholeId } from '../short-id.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';

const KNOWN_MAX = 1_000;
const NONE = 'Nothing is remembered. Agents note it with `remember`, in the toolset `agents`.';

type Chosen = { project?: string | undefined; scope?: Memory['scope']; kind?: Memory['kind'] };
type Asked = Chosen & { status?: 'proposed' | 'all' | undefined; memory?: string };

export type MemoryOptions = JsonOption & Chosen & { proposed?: true; all?: true; follow?: true; limit: number };
export type DecideOptions = JsonOption;

/** `cairn memory`: what is remembered, the latest first. */
export async function runMemory(config: Config, { proposed, all, follow, limit, ...options }: MemoryOptions) {
  const { json: _, ...chosen } = options;
  const asked = { ...chosen, status: proposed ? ('proposed' as const) : all && ('all' as const) };
  await inLocalContext(config, async (ctx) => {
    const { items, more } = await readMemories(ctx, asked, limit);
    printResult({ memories: items, more }, options, () => [
      ...(items.length === 0 ? [isOfAll(asked) ? NONE : 'Nothing like that is remembered.'] : memoryTable(items)),
      ...(items.some(({ status }) => status === 'proposed')
        ? [styled('dim', 'cairn memory show ID  cairn memory approve ID  cairn memory decline ID')]
        : []),
      ...(more ? [styled('dim', `Only the latest ${items.length}; --limit shows more.`)] : []),
    ]);
    if (!follow) return;
    const following = {
      types: ['memory.'],
      printed: items,
      read: async () => (await readMemories(ctx, asked, limit)).items.toReversed(),
      stateOf,
      lineOf: (found: Memory) =>
        `${shortId(found.id)} ${found.noted_by} ${stateOf(found)}: ${found.key}: ${found.text.replace(/\s+/g, ' ')}`,
    };
    await followList(ctx, following, options);
  });
}

/** `cairn memory show ID`: all that was noted under its key, the latest first. */
export async function runShowMemory(config: Config, given: string, options: JsonOption): Promise<void> {
  const found = await inLocalContext(config, async (ctx) => {
    const memory = await memoryId(ctx, given);
    return (await readMemories(ctx, { memory }, KNOWN_MAX)).items;
  });
  printResult({ memories: found }, options, () => found.flatMap(memoryLines));
}

/** `cairn memory approve|decline|forget ID`: what a person makes of it, from a terminal of their own. */
export async function runDecideMemory(
  config: Config,
  given: string,
  { decision, ...options }: DecideOptions & { decision: 'approved' | 'declined' | 'forgotten' },
): Promise<void> {
  requirePerson(config);
  const decided = await inLocalContext(config, async (ctx) =>
    perform(ctx, person.decide_memory, { memory: await memoryId(ctx, given), decision }),
  );
  printResult(decided, options, ({ key }) => [`The memory ${key} is ${decision}.`]);
}

function readMemories(ctx: Context, asked: Asked, limit: number): Promise<{ items: Memory[]; more: boolean }> {
  return readPages(
    limit,
    (page) => perform(ctx, person.list_memories, { ...page, ...asked }),
    ({ memories }) => memories,
  );
}

/** Finds one by its id or the end of it, among those that count first. */
function memoryId(ctx: Context, given: string): Promise<string> {
  return wholeId(given, {
    each: ([undefined, 'all'] as const).map(
      (status) => async () => (await readMemories(ctx, { status }, KNOWN_MAX)).items,
    ),
    notFound: () =>
      new DomainError('not_found', `There is no memory ${given.slice(0, 40)}.`, {
        hint: '`cairn memory list --all` shows the ids.',
      }),
  });
}

function memoryTable(memories: readonly Memory[]): string[] {
  return table(memories, [
    { heading: 'MEMORY', text: ({ id }) => shortId(id), style: (text) => styled('bold', text) },
    { heading: 'FOR', text: ({ scope, project }) => (scope === 'project' ? (project ?? scope) : scope), spare: 3 },
    { heading: 'KIND', text: ({ kind }) => kind, spare: 2 },
    { heading: 'KEY', text: ({ key }) => key, flexible: true },
    { heading: 'TEXT', text: ({ text }) => text.replace(/\s+/g, ' '), flexible: true },
    { heading: 'STATE', text: stateOf },
    { heading: 'BY', text: ({ noted_by }) => noted_by, style: (text) => styled('cyan', text), spare: 1 },
    { heading: 'NOTED', text: ({ created_at }) => fromNow(created_at), style: (text) => styled('dim', text), spare: 4 },
  ]);
}

function stateOf({ status, superseded_by, is_expired }: Memory): string {
  if (status === 'declined' || status === 'forgotten') return status;
  if (superseded_by !== undefined) return 'superseded';
  if (is_expired) return 'expired';
  return status === 'proposed' ? 'waits for you' : status;
}

function memoryLines(memory: Memory): string[] {
  const { id, kind, key, text, noted_by, run, task, source, confidence, decided_by, expires_at } = memory;
  const facts = [
    ['noted', `by ${noted_by}, ${fromNow(memory.created_at)}`],
    ['for', memory.project === undefined ? memory.scope : `${memory.scope}, project ${memory.project}`],
    ['run', run],
    ['task', task],
    ['source', source && `event #${source}`],
    ['confidence', String(confidence)],
    ['state', `${stateOf(memory)}${decided_by === undefined ? '' : ` by ${decided_by}`}`],
    ['expires', expires_at && fromNow(expires_at)],
    ['id', id],
  ] as const;
  return [
    `${styled('bold', key)}  ${styled('dim', kind)}`,
    ...text.split('\n').map((line) => `  ${line}`),
    ...facts.flatMap(([fact, value]) => (value ? [`${styled('dim', fact.padEnd(10))}  ${value}`] : [])),
    '',
  ];
}
