// The table of docs/performance.md about starts, with what was aimed at.
import { cpus, loadavg, platform } from 'node:os';
import { type Sample, summary } from './sample.ts';
import { table } from './section.ts';

/** The measured value, its two rows, and the largest allowed ratio of the first to the second. */
type Aim = [what: string, own: string, floor: string, times: number];

const AIMS: readonly Aim[] = Object.freeze<Aim[]>([
  ['start to `tools/list`', 'cairn to tools/list', 'bare SDK to tools/list', 1.35],
  ['`cairn show`, database running', 'cairn show', 'node and one query by pg', 2],
  ['`cairn hook session-start`, database stopped', 'hook, database stopped', 'node -e 0', 3],
  ['`cairn hook session-start`, database running', 'hook, database running', 'node -e 0', 3],
  ['second get_task of a process', 'get_task, call 2', 'get_task, call 10', 1.2],
  ['second record_event of a process', 'record_event, call 2', 'record_event, call 10', 1.2],
]);

export function renderStart({
  command,
  rounds,
  found,
  peers,
}: {
  command: string;
  rounds: number;
  found: Record<string, number[]>;
  peers: string[];
}) {
  const of = (name: string) => summary(found[name] ?? []);
  const shown = ({ p50 }: Sample) => (p50 < 20 ? p50.toFixed(1) : String(Math.round(p50)));
  return [
    `Made by \`${command}\` on ${new Date().toISOString().slice(0, 10)}: ${cpus().length} cores, ${platform()}, Node ${process.versions.node}, ` +
      `load ${(loadavg()[0] ?? 0).toFixed(1)} at the end. Milliseconds, medians of ${rounds} turns.`,
    '',
    ...table(
      ['what', 'ms', 'beside', 'ms', 'times', 'aim', 'verdict'],
      [...AIMS, ...quickest(peers, of)].map(([what, own, floor, aim]) => {
        const times = ratio(found[own] ?? [], found[floor] ?? []);
        return [
          what,
          shown(of(own)),
          floor,
          shown(of(floor)),
          times.toFixed(2),
          `${aim}`,
          times <= aim ? 'met' : 'missed',
        ];
      }),
    ),
    '',
    ...(peers.length === 0
      ? []
      : [
          `Peers to \`tools/list\`: ${peers.map((name) => `${name} ${shown(of(`${name} to tools/list`))}`).join(', ')}.`,
          '',
        ]),
    ...['get_task', 'record_event'].map(
      (tool) =>
        `Calls 1 to 10 of ${tool}: ${Array.from({ length: 10 }, (_, at) => shown(of(`${tool}, call ${at + 1}`))).join(', ')}.`,
    ),
  ].join('\n');
}

/** Aims at being the fastest of the peers that run on Node.js. */
function quickest(peers: string[], of: (name: string) => Sample): Aim[] {
  const names = peers.map((name) => `${name} to tools/list`);
  const [first] = names.toSorted((a, b) => of(a).p50 - of(b).p50);
  return first === undefined ? [] : [['start to `tools/list`', 'cairn to tools/list', first, 1]];
}

/** The median of what each turn says, so that a load that comes and goes is in both. */
function ratio(own: number[], floor: number[]): number {
  return summary(own.map((ms, at) => ms / (floor[at] ?? Number.NaN))).p50;
}
