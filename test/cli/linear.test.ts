import { describe, expect } from 'vitest';
import { setBlock } from '../../src/clients/block.ts';
import { readJson } from '../../src/clients/json.ts';
import { readToml } from '../../src/clients/toml.ts';
import type { Context } from '../../src/context.ts';
import { named, quote } from '../../src/quote.ts';
import type { Resumption } from '../../src/services/checkpoints.ts';
import { clean, cleanLine, cleanName, escaped, leftOut } from '../../src/text.ts';
import { brief } from '../../src/tools/brief.ts';
import { selectTools } from '../../src/tools/catalog.ts';
import { argumentsInFull } from '../../src/tools/json-schema.ts';
import { block } from '../../src/tools/render.ts';
import { callTool, type Tool } from '../../src/tools/tool.ts';
import { call, take } from '../support/calls.ts';
import { REPORT } from '../support/report.ts';
import { runnerOf } from '../support/runners.ts';
import { sample } from '../support/sample.ts';
import { test } from '../support/world.ts';

// A text takes as long as it is long: what is four times as long takes about four times, with the square of it sixteen.

const TRIES_MAX = 4;
const GROWTH_MAX = 9;
// The limit for one call on a busy machine; faster calls need no second look.
const MS_MAX = 120;
const OBJECT_CHARACTERS = 12_000;
const SHORT_MAX = 1_000;
const SHORTEST = 31;

// Objects whose keys mean something, and what only the server makes.
const SHAPED = ['values', 'rules', 'constraints', 'cursor', 'url'];

/** A single word of the largest size, and pieces over which expressions and parsers could backtrack. */
const WORDS = ['x', '漢', '"', '0', '(', '*', '\\', 'é'];
const PIECES = [
  ...[' ', '\r', '\n', '\0', '\u202e', '\u2028', "'", '`', '[', '<', '&', '|', '-', '.', '/', '@', '#'],
  ...[
    '<!--',
    '-->',
    '- [ ] ',
    '![](',
    'https://a.b/',
    'a@b.c ',
    'a-',
    '"a" ',
    ' or ',
    '../',
    '**/',
    '```\n',
    '😀',
    '\ud800',
  ],
];

type Node = {
  type?: string;
  properties?: Record<string, Node>;
  items?: Node;
  maxLength?: number;
  anyOf?: Node[];
  enum?: unknown[];
};
type Field = { path: string[]; size: number };

/** Every text that a tool takes, from its schema, so that a new one is not forgotten. */
function fieldsOf(node: Node, path: string[] = []): Field[] {
  const { type, properties, items, maxLength = SHORTEST, anyOf, enum: words } = node;
  if (anyOf !== undefined) return anyOf.flatMap((one) => fieldsOf(one, path));
  if (type === 'string') return words === undefined ? [{ path, size: maxLength }] : [];
  if (type === 'array') return fieldsOf(items ?? {}, [...path, '0']);
  if (type !== 'object') return [];
  if (properties === undefined) return [{ path: [...path, 'x'], size: OBJECT_CHARACTERS }];
  return Object.entries(properties).flatMap(([key, of]) => fieldsOf(of, [...path, key]));
}

function withText(input: object, [key = '', ...within]: string[], text: string): object {
  if (within.length === 0) return Array.isArray(input) ? [text] : { ...input, [key]: text };
  const part = (input as Record<string, object>)[key] ?? (within[0] === '0' ? [] : {});
  const changed = withText(part, within, text);
  return Array.isArray(input) ? [changed] : { ...input, [key]: changed };
}

/** The other arguments of each call, made anew for each. */
const GIVEN: Record<string, (ctx: Context) => Promise<object>> = {
  create_project: async () => ({ slug: `p${crypto.randomUUID().slice(0, 8)}`, name: 'P' }),
  update_project: async () => ({ project: 'web' }),
  acknowledge_alert: async (ctx) => ({ alert: await raised(ctx) }),
  create_tasks: async () => ({ project: 'web', tasks: [{ title: 'A' }] }),
  update_task: async (ctx) => ({ ...(await taken(ctx)), status: 'blocked', reason: 'So.' }),
  extend_lock: async (ctx) => taken(ctx),
  complete_task: async (ctx) => ({ ...(await taken(ctx)), evidence: [{ criterion: 1, note: 'Seen.' }] }),
  release_task: async (ctx) => ({ ...(await taken(ctx)), outcome: 'paused', reason: 'So.' }),
  break_lock: async (ctx) => ({ task: (await taken(ctx)).task, reason: 'So.' }),
  add_artifact: async (ctx) => ({ ...(await taken(ctx)), type: 'diff', ref: 'x', files: ['a'] }),
  record_decision: async () => ({ project: 'web', title: 'D', options: ['a'], choice: 'a', rationale: 'So.' }),
  record_event: async () => ({ project: 'web', kind: 'note', text: 'N' }),
  save_checkpoint: async () => ({ project: 'web', label: 'L', summary: 'S' }),
  save_session: async () => ({ project: 'web', summary: 'S', snapshot: {} }),
  send_command: async (ctx) => {
    await sent(ctx);
    return { to: ['heron'], content: 'x' };
  },
  cancel_command: async (ctx) => ({ command: (await sent(ctx)).id }),
  interrupt_run: async (ctx) => ({ run: (await sent(ctx)).runs[0]?.id }),
  ask_approval: async () => ({ title: 'T', wait_seconds: 0 }),
  review_task: async (ctx) => ({ task: await submitted(ctx), decision: 'changes_requested', note: 'N' }),
  update_command: async (ctx) => ({ ...(await given(ctx)), status: 'completed' }),
  save_preset: async () => ({ name: 'P', content: 'C', variables: [{ name: 'v', description: 'V' }] }),
  save_profile: async () => ({ name: 'P' }),
  remember: async () => ({ key: 'K', text: 'T', project: 'web' }),
  save_report: async () => REPORT,
  // Refused as soon as its texts were looked at: it would wait for what they name.
  wait_for_events: async () => ({ project: 'web', after_seq: 0, timeout_seconds: 0 }),
  search: async () => ({ project: 'web', query: 'needle' }),
};

/** A command that nobody has taken yet. */
async function sent(ctx: Context): Promise<{ id: string; runs: { id: string }[] }> {
  const { agents } = await call(ctx, 'list_agents');
  if ((agents as object[]).length === 0) await runnerOf(ctx, 'heron');
  return (await call(ctx, 'send_command', { to: ['heron'], content: 'x' })) as unknown as Awaited<
    ReturnType<typeof sent>
  >;
}

/** A command that the calling agent has taken. */
async function given(ctx: Context): Promise<object> {
  await call(ctx, 'next_command');
  await call(ctx, 'send_command', { to: [ctx.actor.agent ?? ''], content: 'x' });
  const next = (await call(ctx, 'next_command')) as unknown as { given: { run: { id: string }; lock_token: number } };
  return { run: next.given.run.id, lock_token: next.given.lock_token };
}

async function taken(ctx: Context) {
  const { tasks } = await call(ctx, 'create_tasks', {
    project: 'web',
    tasks: [{ title: 'A', acceptance_criteria: ['It runs'] }],
  });
  return take(ctx, tasks[0]?.ref ?? '');
}

/** A task that another submitted to the calling agent. */
async function submitted(ctx: Context): Promise<string> {
  const other = { ...ctx, actor: { ...ctx.actor, agent: 'bob' } };
  const tasks = [{ title: 'A', reviewer: ctx.actor.agent }];
  const { tasks: created } = await call(other, 'create_tasks', { project: 'web', tasks });
  const own = await take(other, created[0]?.ref ?? '');
  await call(other, 'complete_task', own);
  return own.task;
}

/** The alert of a task that was given up as often as its project allows. */
async function raised(ctx: Context): Promise<string> {
  const project = `p${crypto.randomUUID().slice(0, 8)}`;
  await call(ctx, 'create_project', { slug: project, name: 'P', rules: { attempts_max: 1 } });
  await call(ctx, 'create_tasks', { project, tasks: [{ title: 'A' }] });
  await call(ctx, 'release_task', { ...(await take(ctx, `${project}-1`)), outcome: 'failed', reason: 'So.' });
  const { alerts } = await call(ctx, 'list_alerts', { project });
  return (alerts as { id: string }[])[0]?.id ?? '';
}

async function timed(run: () => unknown): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

/**
 * Undefined where the text takes little time, or no more than it is long; else how many times as much four times as
 * much took.
 */
async function growthOf(
  run: (size: number) => Promise<number>,
  size: number,
  msMax = MS_MAX,
): Promise<number | undefined> {
  const best = async (of: number) => Math.min(await run(of), await run(of), await run(of));
  if ((await run(size)) < msMax) return undefined;
  let least = Number.POSITIVE_INFINITY;
  // Other load shows in one of the tries; a quadratic cost shows in all of them.
  for (let again = 0; again < TRIES_MAX; again += 1) {
    const most = await best(size);
    if (most < msMax) return undefined;
    least = Math.min(least, most / (await best(Math.ceil(size / 4))));
    if (least < GROWTH_MAX) return undefined;
  }
  return least;
}

const filled = (piece: string, size: number) => piece.repeat(Math.ceil(size / piece.length)).slice(0, size);

async function slowest(ctx: Context, tool: Tool, { path, size }: Field): Promise<string[]> {
  const slow: string[] = [];
  for (const piece of sample(size > SHORT_MAX ? [...WORDS, ...PIECES] : WORDS.slice(0, 3))) {
    // A short text may have to be a ref or a time, and rules have shapes; any other word is taken, and goes all the
    // way.
    const refused = ({ message }: Error) => {
      const isFree = size > SHORT_MAX && !path.some((key) => SHAPED.includes(key));
      if (piece === 'x' && isFree) slow.push(`${path.join('.')}: ${message}`);
    };
    const run = async (of: number) => {
      const given = (await GIVEN[tool.name]?.(ctx)) ?? { project: 'web' };
      const input = withText(given, path, `${filled(piece, of - 7)} needle`);
      return timed(() => callTool(ctx, tool, input).catch(refused));
    };
    const growth = await growthOf(run, size);
    if (growth !== undefined) slow.push(`${path.join('.')} of ${JSON.stringify(piece)}: ${growth.toFixed(1)} times`);
  }
  return slow;
}

describe('a text of the largest size takes as long as it is long in', () => {
  const tools = selectTools(['all']).filter(({ scope }) => scope !== 'admin');

  test.for(tools.map((tool) => [tool.name, tool] as const))('%s', { timeout: 60_000 }, async ([, tool], { as }) => {
    await call(as('ada'), 'create_project', { slug: 'web', name: 'Web' });

    const slow: string[] = [];
    for (const field of fieldsOf(argumentsInFull(tool) as Node)) slow.push(...(await slowest(as('ada'), tool, field)));

    expect(slow).toEqual([]);
  });

  test('whatever reads what was written', { timeout: 60_000 }, async ({ as }) => {
    const slow: string[] = [];
    for (const piece of sample([...WORDS, ' ', '-', '|', '<!--', 'https://a.b/', 'a-', '../', '😀'])) {
      const growth = await growthOf((size) => reading(as('ada'), `${filled(piece, size)} needle`), 19_000, 3 * MS_MAX);
      if (growth !== undefined) slow.push(`${JSON.stringify(piece)}: ${growth.toFixed(1)} times`);
    }

    expect(slow).toEqual([]);
  });
});

/** Measures reading a project in which every text is this one. */
async function reading(ctx: Context, text: string): Promise<number> {
  const project = `p${crypto.randomUUID().slice(0, 8)}`;
  await call(ctx, 'create_project', { slug: project, name: 'P', description: text });
  await call(ctx, 'create_tasks', { project, tasks: [{ title: 'A', description: text }] });
  await call(ctx, 'record_event', { project, text, kind: 'question' });
  return timed(async () => {
    await call(ctx, 'resume_project', { project });
    await call(ctx, 'list_events', { project, include_data: true });
    await call(ctx, 'search', { project, query: 'needle' });
  });
}

test('what takes the square of its length is found', async () => {
  const quadratic = (size: number) =>
    timed(() => {
      let sum = 0;
      for (let one = 0; one < size; one += 1) for (let other = 0; other < size; other += 1) sum += one ^ other;
      return sum;
    });

  expect(await growthOf(quadratic, 8_000, 10)).toBeGreaterThan(GROWTH_MAX);
});

describe('a long text takes as long as it is long', () => {
  // The square of it is seconds already.
  const SIZE = 100_000;
  const seen = { seq: 1, at: '2026-01-01T00:00:00Z', by: 'ada', type: 'project.noted' };
  const scanners: Record<string, (text: string) => unknown> = {
    clean,
    cleanLine,
    cleanName: (text) => cleanName(text, 100),
    escaped,
    leftOut,
    quote: (text) => quote(text, SIZE),
    named,
    block: (text) => block('said', text),
    'block of a page': (text) => setBlock(text, 'body'),
    toml: readToml,
    json: readJson,
    'json with comments': (text) => readJson(`{"a": 1 /* ${text} */, "b": "${text}"`),
    hook: (text) =>
      brief({
        project: { slug: 'web', tasks: { ready: 0 } },
        checkpoint: { label: text, by: text, created_at: text, summary: text, resume_instructions: text },
        since: { events: 1, tasks: {} },
        questions: [{ ...seen, text }],
      } as unknown as Resumption),
  };

  test.for(Object.entries(scanners))('for %s', { timeout: 30_000 }, async ([, scan]) => {
    const slow: string[] = [];
    for (const piece of [...WORDS, ...PIECES]) {
      const run = (size: number) =>
        timed(() => {
          try {
            scan(filled(piece, size));
          } catch {}
        });
      const growth = await growthOf(run, SIZE);
      if (growth !== undefined) slow.push(`${JSON.stringify(piece)}: ${growth.toFixed(1)} times`);
    }

    expect(slow).toEqual([]);
  });
});
