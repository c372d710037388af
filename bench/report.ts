// The table of docs/performance.md, with what was aimed at and by how much it was missed.
import { arch, cpus, platform, totalmem } from 'node:os';
import { CALLS, type CallName, type FloorName, type Measured, type Times } from './calls.ts';
import type { measureMemory, measureStart, measureThroughput } from './processes.ts';
import type { Sample } from './sample.ts';
import { table } from './section.ts';

const AIMS = Object.freeze({ read: 2, write: 3, growth: 1.3, replay: 20_000, throughput: 2_000, start_ms: 1_000 });

/**
 * A workspace that the calls were measured in; one that has more events than its tasks make names no number of tasks.
 */
export type Stage = Measured & { name: string; tasks?: number };
export type Replay = { what: string; events: number; ms: number };

export type Found = {
  command: string;
  times: Times;
  stages: Stage[];
  history: Replay[];
  memory: ReturnType<typeof measureMemory>;
  throughput: Awaited<ReturnType<typeof measureThroughput>>;
  seeding: number;
  server_version: string | null;
  starts: { warm: Awaited<ReturnType<typeof measureStart>>; cold: Sample };
};

const FLOORS: [label: string, name: FloorName][] = [
  ['bare SDK echo', 'echo'],
  ['one primary-key read', 'read'],
  ['one single-row insert and its commit', 'insert'],
];

export function renderReport(found: Found): string {
  return [
    `Made by \`${found.command}\` on ${new Date().toISOString().slice(0, 10)}: ${machine(found.server_version)}.`,
    '',
    '### Floor',
    '',
    'Milliseconds. The floor of a read is the echo and the read, that of a write the echo and the insert.',
    '',
    ...table(
      ['', ...found.stages.map(({ name }) => `${name}: p50 / p99`)],
      FLOORS.map(([label, name]) => [label, ...found.stages.map(({ floor }) => pair(floor[name]))]),
    ),
    '',
    '### Tool calls',
    '',
    `Milliseconds, p50 / p99 of ${found.times.rounds * found.times.calls} calls, one at a time and in turns with the floor, in brackets p50 as a multiple of the floor of the same stage. ` +
      `Aims: a read at most ${AIMS.read}, a write at most ${AIMS.write} times its floor; growth from the fewest tasks to the most at most ${AIMS.growth}.`,
    '',
    ...table(
      ['tool', ...found.stages.map(({ name }) => name), 'growth', 'verdict'],
      (Object.keys(CALLS) as CallName[]).map((name) => callRow(name, found.stages)),
    ),
    '',
    '### Whole system',
    '',
    ...table(['what', 'found', 'aim', 'verdict'], systemRows(found)),
  ].join('\n');
}

function callRow(name: CallName, stages: Stage[]): string[] {
  const { tool, kind } = CALLS[name];
  const ratios = stages.map(({ floor, calls }) => calls[name].p50 / floorOf(floor, kind));
  // The wider stage of more events is shown, and judged apart from the growth with tasks.
  const sized = stages.filter(({ tasks }) => tasks !== undefined);
  const growth = (sized.at(-1)?.calls[name].p50 ?? 0) / (sized[0]?.calls[name].p50 ?? 1);
  const missed = [over(Math.max(...ratios), AIMS[kind], 'floor'), over(growth, AIMS.growth, 'growth')].filter(Boolean);
  return [
    tool,
    ...stages.map(({ calls }, at) => `${pair(calls[name])} (${ratios[at]?.toFixed(1)})`),
    growth.toFixed(2),
    missed.length === 0 ? 'met' : `missed: ${missed.join(', ')}`,
  ];
}

function floorOf(floor: Measured['floor'], kind: 'read' | 'write'): number {
  return floor.echo.p50 + (kind === 'read' ? floor.read : floor.insert).p50;
}

function over(value: number, aim: number, what: string): string | false {
  return value > aim && `${what} ${value.toFixed(2)}, ${percent(value / aim - 1)} over ${aim}`;
}

function systemRows({ history, starts, memory, throughput, seeding }: Found): string[][] {
  const atLeast = (value: number, aim: number) => (value >= aim ? 'met' : `missed: ${percent(1 - value / aim)} under`);
  const perSecond = (value: number) => `${whole(value)}/s`;
  const { processes } = throughput;
  return [
    ...history.map(({ what, events, ms }) => [
      `${what}, ${whole(events)} events`,
      `${perSecond((events / ms) * 1_000)} (${(ms / 1_000).toFixed(1)} s)`,
      `${perSecond(AIMS.replay)}`,
      what.startsWith('replay') ? atLeast((events / ms) * 1_000, AIMS.replay) : '',
    ]),
    ...Object.entries({ 'create, claim and complete': throughput.work, record_event: throughput.notes }).map(
      ([what, value]) => [
        `${processes} processes, ${what}`,
        perSecond(value),
        perSecond(AIMS.throughput),
        atLeast(value, AIMS.throughput),
      ],
    ),
    [`${processes} processes, get_task`, perSecond(throughput.reads), '', ''],
    [
      'start to first answer, database running',
      ms(starts.warm.cairn),
      `${AIMS.start_ms} ms`,
      starts.warm.cairn.p50 < AIMS.start_ms ? 'met' : 'missed',
    ],
    [
      'start to first answer, database stopped',
      ms(starts.cold),
      `${AIMS.start_ms} ms`,
      starts.cold.p50 < AIMS.start_ms ? 'met' : `missed: ${Math.round(starts.cold.p50 - AIMS.start_ms)} ms over`,
    ],
    ['start to first answer, bare SDK', ms(starts.warm.echo), '', ''],
    ['memory of a cairn process', megabytes(memory.cairn), '', ''],
    ['memory of the bare SDK', megabytes(memory.echo), '', ''],
    ['memory of PostgreSQL, all processes', megabytes(memory.postgres), '', ''],
    ['tasks made in batches of 200 on one connection', perSecond(seeding), '', ''],
  ];
}

function machine(serverVersion: string | null): string {
  const memory = Math.round(totalmem() / 1_024 ** 3);
  return `${cpus().length} cores, ${memory} GB, ${platform()} ${arch()}, Node ${process.versions.node}, PostgreSQL ${serverVersion}`;
}

const pair = ({ p50, p99 }: Sample) => `${p50.toFixed(2)} / ${p99.toFixed(2)}`;
const ms = ({ p50 }: Sample) => `${Math.round(p50)} ms`;
const whole = (value: number) => Math.round(value).toLocaleString('en-US');
const percent = (share: number) => `${Math.round(share * 100)}%`;
const megabytes = (size: number) => `${Math.round(size)} MB`;
