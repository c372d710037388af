// npm run bench:neighbours: what one grant's worst calls, twelve at once and again, cost the calls of another grant and
// the database's memory.
//
//   npm run bench:neighbours              5 seconds of each; writes docs/performance.md
//   npm run bench:neighbours -- --seconds 1 --no-write
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { stderr, stdout } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freePort } from './free-port.ts';
import { type Address, agentOf, type Call, call } from './http-client.ts';
import { startHttp } from './http-server.ts';
import { stopDatabase } from './processes.ts';
import { CLI } from './rpc.ts';
import { type Sample, summary, timed } from './sample.ts';
import { table, writeSection } from './section.ts';
import { seedTokens } from './tokens.ts';

/** The calls of the other grant. */
type Others = { read: Sample; write: Sample };
/** The duration of each call of the greedy grant and of the other grant's calls meanwhile, and the memory in MB. */
type Row = { name: string; greedy: number[]; meanwhile: Others; memory: number };
type Found = { before: number; quiet: Others; rows: Row[] };

const AT_ONCE = 12;
const NOTES = 300;
const BETWEEN_MS = 20;

const { values: flags } = parseArgs({
  options: { seconds: { type: 'string', default: '5' }, 'no-write': { type: 'boolean', default: false } },
});
const seconds = Number(flags.seconds);

const repeat = (text: string, length = 400) =>
  text
    .repeat(Math.ceil(length / text.length))
    .slice(0, length)
    .trim();
/** The most expensive searches: no query of 400 characters costs more than these. */
const SEARCHES: [string, string][] = [
  ['plain words', 'lantern harbour'],
  ['pairs joined by or', repeat('rust code or ')],
  ['a phrase of frequent words', repeat('"rust code rust code" ')],
  ['negated words', repeat('NOT rust NOT code ')],
  ['words of one letter', repeat('a b c d e f g h i j k l m n o p q r s t u v w x y z ')],
  ['stop words', repeat('and will can the of to ')],
  ['one long run', 'a_'.repeat(200)],
];
const GLOBS = Array.from({ length: 50 }, (_, at) => `${'*a'.repeat(15)}${at}/**`);
const FILES = Array.from({ length: 500 }, (_, at) => `${'a'.repeat(200)}/${at}.ts`);

const dataDir = await mkdtemp(join(tmpdir(), 'cairn-bench-'));
try {
  const report = render(await measure());
  stdout.write(`${report}\n`);
  if (!flags['no-write']) stderr.write(`wrote ${await writeSection('neighbours', report)}\n`);
} finally {
  stopDatabase(dataDir);
  await rm(dataDir, { recursive: true, force: true });
}

async function measure(): Promise<Found> {
  const [before = 0] = loadavg();
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  const { stop } = await startHttp([
    CLI,
    'serve',
    '--auth',
    '--port',
    String(port),
    '--public-url',
    publicUrl,
    '--data-dir',
    dataDir,
  ]);
  const [greedy, other] = (await seedTokens(dataDir, { tokens: 2, clients: 2, resource: `${publicUrl}/mcp` })).map(
    ({ secret }) => ({ port, token: secret }),
  );
  if (greedy === undefined || other === undefined) throw new Error('There are too few tokens.');
  await furnish(greedy);
  const quiet = await otherCalls(other, pause(seconds * 1_000));
  const rows: Row[] = [];
  const kinds = [
    ...SEARCHES.map(([name, query]) => ({ name: `search: ${name}`, tool: 'search', args: { query, page_size: 50 } })),
    {
      name: '500 files against 50 globs of 16 wildcards',
      tool: 'add_artifact',
      args: { task: 'odd-1', type: 'diff', ref: 'x.diff', files: FILES },
    },
  ];
  for (const { name, ...asked } of kinds) {
    const greed = atOnce({ ...greedy, ...asked });
    const meanwhile = await otherCalls(other, greed.done);
    rows.push({ name, greedy: greed.times, meanwhile, memory: greed.memory() });
  }
  await stop();
  return { before, quiet, rows };
}

/** Long notes that every search finds, and a task whose scope has the worst globs that a rule may have. */
async function furnish(server: Address): Promise<void> {
  await call({ ...server, tool: 'create_project', args: { slug: 'web', name: 'Web' } });
  const text = `lantern harbour ${'rust code and the lantern of a b c d e '.repeat(500)}`.slice(0, 19_900);
  for (let at = 0; at < NOTES; at++) {
    await call({ ...server, tool: 'record_event', args: { project: 'web', text: `${at} ${text}` } });
  }
  const rules = { scope: { paths: GLOBS } };
  await call({ ...server, tool: 'create_project', args: { slug: 'odd', name: 'Odd', rules } });
  await call({ ...server, tool: 'create_tasks', args: { project: 'odd', tasks: [{ title: 'Odd' }] } });
}

/** Keeps several calls in flight for a while, and ignores their answers. */
function atOnce(asked: Call): { done: Promise<unknown>; times: number[]; memory: () => number } {
  const agent = agentOf(AT_ONCE);
  const until = performance.now() + seconds * 1_000;
  const times: number[] = [];
  let peak = 0;
  const watching = (async () => {
    while (performance.now() < until) {
      peak = Math.max(peak, await largestBackend());
      await pause(50);
    }
  })();
  const work = async () => {
    while (performance.now() < until) times.push((await timed(() => call(asked, agent).catch(() => {}))).ms);
  };
  const done = Promise.all([watching, ...Array.from({ length: AT_ONCE }, work)]).finally(() => agent.destroy());
  return { done, times, memory: () => peak };
}

/** A read and a write of another grant, one at a time, until `over`. */
async function otherCalls(server: Address, over: Promise<unknown>): Promise<Others> {
  const agent = agentOf(1);
  let isOver = false;
  const ended = over.then(() => {
    isOver = true;
  });
  const times: Record<keyof Others, number[]> = { read: [], write: [] };
  const kinds: [keyof Others, Call][] = [
    ['read', { ...server, tool: 'list_projects', args: {} }],
    ['write', { ...server, tool: 'record_event', args: { project: 'web', text: 'Done.' } }],
  ];
  while (!isOver) {
    for (const [kind, asked] of kinds) times[kind].push((await timed(() => call(asked, agent))).ms);
    await pause(BETWEEN_MS);
  }
  await ended;
  agent.destroy();
  return { read: summary(times.read), write: summary(times.write) };
}

/** The memory that the largest process of the database has to itself, in MB: Linux tells. */
async function largestBackend(): Promise<number> {
  const pid = Number((await readFile(join(dataDir, 'pg', 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0]);
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const sizes = await Promise.all(
    children
      .trim()
      .split(' ')
      .map(async (child) =>
        Number(/RssAnon:\s+(\d+)/.exec(await readFile(`/proc/${child}/status`, 'utf8').catch(() => ''))?.[1] ?? 0),
      ),
  );
  return Math.max(...sizes) / 1_024;
}

function render({ before, quiet, rows }: Found): string {
  const ratio = (sample: Sample, to: Sample) => (sample.p50 / to.p50).toFixed(1);
  const cells = ({ name, greedy, meanwhile: { read, write }, memory }: Row) => [
    name,
    `${summary(greedy).p50.toFixed(0)}`,
    `${read.p50.toFixed(1)} (${ratio(read, quiet.read)} times)`,
    `${read.p99.toFixed(0)}`,
    `${write.p50.toFixed(1)} (${ratio(write, quiet.write)} times)`,
    `${write.p99.toFixed(0)}`,
    `${memory.toFixed(0)}`,
  ];
  return [
    `Made by \`npm run bench:neighbours\`, load average ${before.toFixed(1)} before. Milliseconds; MB of the largest database process.`,
    '',
    ...table(
      ['twelve at once of one grant', 'their p50', "another's read p50", 'p99', "another's write p50", 'p99', 'memory'],
      [
        [
          'nothing',
          '',
          quiet.read.p50.toFixed(1),
          quiet.read.p99.toFixed(0),
          quiet.write.p50.toFixed(1),
          quiet.write.p99.toFixed(0),
          '',
        ],
        ...rows.map(cells),
      ],
    ),
  ].join('\n');
}
