// The part of docs/performance.md about calls over HTTP, with what was aimed at.
import { cpus, platform } from 'node:os';
import type { Streams } from './http-streams.ts';
import type { Sample } from './sample.ts';
import { table } from './section.ts';

const AIMS = Object.freeze({ share: 0.1, growth: 1.1 });

export type KindName = 'floor' | 'open' | 'token' | 'few' | 'unseen' | 'write' | 'writeToken';
type Kind = { name: string; sample: Sample; rate: number | undefined };
/** Two kinds that took turns: the second is the first with one thing more. */
type Pair = [without: Sample, more: Sample];
type Many = { tokens: number; clients: number };

export type Found = {
  command: string;
  before: number;
  calls: number;
  connections: number;
  many: Many;
  kinds: Record<KindName, Kind>;
  pairs: Record<'token' | 'few' | 'unseen', Pair>;
  streams: Streams;
};

export function renderHttp(found: Found): string {
  const { command, calls, connections, many, kinds, pairs, streams } = found;
  return [
    `Made by \`${command}\` on ${new Date().toISOString().slice(0, 10)}: ${cpus().length} cores, ${platform()}, Node ${process.versions.node}. ` +
      `Milliseconds, of ${whole(calls)} calls each in turns; before that the load, in turns too. Load of the machine before: ${found.before.toFixed(1)}.`,
    '',
    ...table(
      ['call', 'p50', 'p99', `requests/s at ${connections} connections`],
      Object.values(kinds).map(({ name, sample, rate }) => [
        name,
        ...times(sample),
        rate === undefined ? '' : whole(rate),
      ]),
    ),
    '',
    ...table(['what', 'found', 'aim', 'verdict'], [...tokenRows({ kinds, pairs, many }), ...streamRows(streams)]),
  ].join('\n');
}

function tokenRows({ kinds, pairs, many: { tokens, clients } }: Pick<Found, 'kinds' | 'pairs' | 'many'>): string[][] {
  const factor = ([without, more]: Pair) => more.p50 / without.p50;
  const share = 1 - 1 / factor(pairs.token);
  const unseen = 1 - 1 / factor(pairs.unseen);
  const growth = factor(pairs.few);
  const underLoad = (kinds.token.rate ?? Number.NaN) / (kinds.open.rate ?? Number.NaN);
  return [
    [
      'token check, of an authorized call at p50',
      percent(share),
      `under ${percent(AIMS.share)}`,
      verdict(share < AIMS.share),
    ],
    ['the same under load', percent(1 - underLoad), '', ''],
    ['the same where the server has not seen the token for a minute', percent(unseen), '', ''],
    [
      `p50 among ${whole(tokens)} tokens and ${whole(clients)} clients, times that with one of each`,
      growth.toFixed(2),
      `1, at most ${AIMS.growth}`,
      verdict(growth <= AIMS.growth),
    ],
  ];
}

function streamRows({ count, held, hold_ms, heard_ms, cut_ms, meanwhile, megabytes }: Streams): string[][] {
  return [
    [`streams still open after ${hold_ms / 1_000} s`, whole(held), whole(count), verdict(held === count)],
    ['until all of them had heard of a change', `${whole(heard_ms)} ms`, '', ''],
    ['until all of them were cut, their access being ended', `${whole(cut_ms)} ms`, '', ''],
    ['get_task with a token beside them, p50 / p99', times(meanwhile).join(' / '), '', ''],
    ['memory of the server before / with them', `${whole(megabytes.before)} / ${whole(megabytes.after)} MB`, '', ''],
  ];
}

const times = ({ p50, p99 }: Sample) => [p50.toFixed(2), p99.toFixed(2)];
const verdict = (met: boolean) => (met ? 'met' : 'missed');
const percent = (share: number) => `${(share * 100).toFixed(share === AIMS.share ? 0 : 1)} %`;
const whole = (value: number) => Math.round(value).toLocaleString('en-US');
