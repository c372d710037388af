// npm run bench:steps: how many spans of agents a database takes in a second, read from OTLP, straight and over HTTP;
// how much room they take; and how long a tree of 2,000 takes to read; writes docs/performance.md.
//
//   npm run bench:steps                     1,000,000 spans in all
//   npm run bench:steps -- --spans 100000   fewer; --no-write
import { cpus, loadavg } from 'node:os';
import { argv, stderr, stdout, versions } from 'node:process';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { Context } from '../src/context.ts';
import { newId } from '../src/events/ids.ts';
import { databasePort, type RunnerPort } from '../src/runner/port.ts';
import { httpPort } from '../src/runner/port-http.ts';
import { getRun } from '../src/services/run-trace.ts';
import type { Step, StoredStep } from '../src/services/steps.ts';
import { claude } from '../src/telemetry/dialects/claude.ts';
import { takeExport } from '../src/telemetry/export-request.ts';
import { StepTree } from '../src/telemetry/tree.ts';
import { inTree } from '../src/tools/trace-text.ts';
import { type RunnerServer, startRunnerServer } from './runner-server.ts';
import { table, writeSection } from './section.ts';

// What the exporters of OpenTelemetry send at once, unless they are set otherwise.
const SPANS_OF_EXPORT = 512;
const STEPS_OF_TURN = 20;
const TREE_STEPS = 2_000;
const TREE_READS = 20;
const AT_ONCE = 4;

const { values: flags } = parseArgs({
  options: { spans: { type: 'string', default: '1000000' }, 'no-write': { type: 'boolean', default: false } },
});
const spans = Number(flags.spans);
const load = (loadavg()[0] ?? 0).toFixed(1);
const server = await startRunnerServer();
try {
  const report = await measure(server);
  stdout.write(`${report}\n`);
  if (!flags['no-write']) stderr.write(`wrote ${await writeSection('steps', report)}\n`);
} finally {
  await server.stop();
}

async function measure({ ctx, url, sql, tokenOf }: RunnerServer): Promise<string> {
  const straight = async (name: string) => databasePort({ ...ctx, actor: { ...ctx.actor, agent: name } }, name);
  const overHttp = async (name: string) => httpPort({ url, token: await tokenOf(name) }, name);
  // Each way has a tenth, the last one what is left of all.
  const tenth = spans / 10;
  const ways = [
    { way: 'OTLP read, nothing stored', lanes: 1, count: tenth },
    { way: 'stored over HTTP', portOf: overHttp, lanes: AT_ONCE, count: tenth },
    { way: 'stored straight', portOf: straight, lanes: 1, count: tenth },
    { way: 'stored straight', portOf: straight, lanes: AT_ONCE, count: 7 * tenth },
  ];
  const rows: string[][] = [];
  for (const { way, portOf, lanes, count } of ways) {
    const runs = await Promise.all(Array.from({ length: lanes }, () => portOf && begin(ctx, portOf)));
    const seconds = await timedSeconds(() => Promise.all(runs.map((run) => report(count / lanes, run))));
    rows.push([way, `${lanes}`, count.toLocaleString('en'), Math.round(count / seconds).toLocaleString('en')]);
  }
  const { bytes, rows: stored } = await sizeOf(sql);
  const tree = await begin(ctx, straight);
  await report(TREE_STEPS, tree);
  const read = await medianMs(() => readTree(ctx, tree.run));
  return [
    `Made by \`${['npm run bench:steps', ...(argv.length > 2 ? ['--', ...argv.slice(2)] : [])].join(' ')}\` on ${new Date().toISOString().slice(0, 10)}: ${cpus().length} cores, Node ${versions.node}, load ${load} before. Exports of ${SPANS_OF_EXPORT} spans, JSON with gzip.`,
    '',
    ...table(['spans of Claude Code', 'runs at once', 'spans', 'spans a second'], rows),
    '',
    `A step takes ${Math.round(bytes / stored)} bytes with its indexes, of ${stored.toLocaleString('en')}. A tree of ${TREE_STEPS.toLocaleString('en')} steps beside them is read in ${read.toFixed(1)} ms (median of ${TREE_READS}).`,
  ].join('\n');
}

type Begun = { run: string; lock_token: number; port: RunnerPort };

async function begin(ctx: Context, portOf: (agent: string) => Promise<RunnerPort>): Promise<Begun> {
  const name = `bench-${newId()}`;
  const port = await portOf(name);
  const { token } = await port.register({ agent: { name, type: 'claude', driver: 'claude', config: {} } });
  const events = [{ stream: `command:${newId()}`, type: 'command.sent', data: { to: [name], content: 'Work.' } }];
  await ctx.db.call('append_events', { events }, ctx.actor);
  const claimed = await port.claim(token, []);
  if ('nothing' in claimed) throw new Error(claimed.nothing);
  return { run: claimed.run.id, lock_token: claimed.lock_token, port };
}

/** Reads so many spans as an agent reports them, and has them stored in the run, if there is one. */
async function report(count: number, begun: Begun | undefined): Promise<void> {
  const tree = new StepTree(claude);
  for (let from = 0; from < count; from += SPANS_OF_EXPORT) {
    const body = exportOf(from, Math.min(SPANS_OF_EXPORT, count - from));
    const { reported } = await takeExport({ signal: 'traces', type: 'application/json', encoding: 'gzip', body });
    const { steps = [], links = [] } = tree.add(reported, () => begun?.run ?? 'none').get(begun?.run ?? 'none') ?? {};
    await begun?.port.steps(begun, { steps: steps.map(({ content: _, ...step }: Step) => step), links });
  }
}

/** Turns of twenty spans: requests with their tokens and tools, and the turn, which ends last and is told of last. */
function exportOf(from: number, count: number): Uint8Array {
  const session = newId();
  const traceId = newId().replaceAll('-', '');
  const spanId = (at: number) => `${traceId.slice(0, 6)}${at.toString(16).padStart(10, '0')}`;
  const all = Array.from({ length: count }, (_, n) => {
    const at = from + n;
    const place = at % STEPS_OF_TURN;
    const ended = Date.now() - 1_000 + place;
    return {
      ...{ traceId, spanId: spanId(at), name: `claude_code.${nameAt(place)}` },
      ...(place > 0 && { parentSpanId: spanId(at - place) }),
      ...{ startTimeUnixNano: `${ended - 900}000000`, endTimeUnixNano: `${ended}000000`, status: { code: 0 } },
      attributes: attributesAt(place, `${session}-${at}`),
    };
  });
  const resource = { attributes: [said('service.name', 'claude-code')] };
  return gzipSync(JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: all.toReversed() }] }] }));
}

function nameAt(place: number): string {
  return place === 0 ? 'interaction' : place % 2 === 1 ? 'llm_request' : 'tool';
}

function attributesAt(place: number, id: string): object[] {
  switch (nameAt(place)) {
    case 'llm_request':
      return [
        said('model', 'claude-sonnet-4-5'),
        said('request_id', `req_${id}`),
        ...Object.entries({ input_tokens: 12, output_tokens: 250, cache_read_tokens: 18_000 + place }).map(
          ([key, intValue]) => ({ key, value: { intValue } }),
        ),
      ];
    case 'tool':
      return [said('tool_name', place % 4 === 0 ? 'Bash' : 'Read'), said('tool_use_id', `toolu_${id}`)];
    default:
      return [said('session.id', id)];
  }
}

function said(key: string, stringValue: string): object {
  return { key, value: { stringValue } };
}

async function sizeOf(sql: RunnerServer['sql']): Promise<{ bytes: number; rows: number }> {
  const [found] = await sql<{ bytes: number; rows: number }>(`
    select sum(pg_total_relation_size(i.inhrelid))::float8 as bytes,
      (select count(*) from public.agent_steps)::float8 as rows
    from pg_inherits i where i.inhparent = 'public.agent_steps'::regclass`);
  if (found === undefined) throw new Error('No steps were stored.');
  return found;
}

async function readTree(ctx: Context, run: string): Promise<void> {
  const steps: StoredStep[] = [];
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await getRun(ctx, { run, page_size: TREE_STEPS, cursor });
    steps.push(...page.steps);
    cursor = page.next_cursor;
    more = cursor !== undefined;
  }
  const branches = inTree(steps);
  if (branches.length !== TREE_STEPS) throw new Error(`${branches.length} steps were read.`);
}

async function medianMs(work: () => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let n = 0; n < TREE_READS; n += 1) taken.push(1_000 * (await timedSeconds(work)));
  return taken.toSorted((one, other) => one - other)[TREE_READS / 2] ?? 0;
}

async function timedSeconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1_000;
}
