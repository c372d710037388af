// The tables of docs/performance.md that set Cairn beside its peers. The best of a row is bold.
import { cpus, loadavg, platform } from 'node:os';
import { table } from '../section.ts';
import type { Claimed, Written } from './contention.ts';
import type { Failed, Kind, Stage, Started, Timed } from './measure.ts';

const KINDS: Kind[] = ['create', 'update', 'list', 'next', 'take'];
const ANSWERS: Kind[] = ['create', 'update', 'list', 'next'];
const PHASES: Phase[] = ['creates', 'updates', 'claims'];
const START_FACTOR_MAX = 2;

/** The results for one server; `stages` by the number of tasks. */
export type About = Partial<Started> & {
  name: string;
  version?: string | undefined;
  error?: string;
  stages: Map<number, Stage | Failed>;
  creates?: Written | Failed;
  updates?: Written | Failed;
  claims?: Claimed | Failed;
};

type Phase = 'creates' | 'updates' | 'claims';
type Value = number | undefined | Failed;
type Aim = 'least' | 'near' | 'none';

type Row = {
  label: string;
  values: Value[];
  show?: (value: number) => string;
  aim?: Aim;
};

export function renderPeers({
  command,
  sizes,
  servers,
}: {
  command: string;
  sizes: number[];
  servers: About[];
}): string {
  const head = ['', ...servers.map(({ name }) => name), 'Cairn'];
  const ofStage = (size: number, kind: Kind, field: keyof Timed) =>
    servers.map(({ stages }) => fieldOf(stages.get(size), kind, field));
  const largest = sizes.at(-1) ?? 0;
  const usual = sizes.at(-2) ?? largest;
  return [
    `Made by \`${command}\` on ${new Date().toISOString().slice(0, 10)}: ${cpus().length} cores, ${platform()}, Node ${process.versions.node}. ` +
      `Versions: ${servers.map(({ name, version }) => `${name} ${version ?? '(this build)'}`).join(', ')}. Load at the end: ${Math.round(loadavg()[0] ?? 0)}.`,
    '',
    '### Start and surface',
    '',
    ...table(head, [
      row({ label: 'start to `tools/list`, ms', values: servers.map(({ start_ms }) => start_ms), aim: 'near' }),
      row({
        label: 'tokens of the tools as a model is given them',
        values: servers.map(({ shown_tokens }) => shown_tokens),
      }),
      row({ label: 'the same for each tool', values: servers.map(({ tool_tokens }) => tool_tokens) }),
      row({ label: 'tokens of all of `tools/list`', values: servers.map(({ tools_tokens }) => tools_tokens) }),
      row({ label: 'tools', values: servers.map(({ tools }) => tools), aim: 'none' }),
    ]),
    '',
    '### One deed, p50 in milliseconds',
    '',
    ...table(
      head,
      KINDS.flatMap((kind) =>
        sizes.map((size) =>
          row({ label: `${kind}, ${whole(size)} tasks`, values: ofStage(size, kind, 'ms'), show: fine }),
        ),
      ),
    ),
    '',
    '### Tokens of an answer',
    '',
    ...table(head, [
      ...ANSWERS.map((kind) =>
        row({
          label: `${kind}, ${whole(usual)} tasks`,
          values: ofStage(usual, kind, 'tokens'),
          aim: kind === 'next' ? 'none' : 'least',
        }),
      ),
      row({ label: `list, ${whole(largest)} tasks`, values: ofStage(largest, 'list', 'tokens') }),
      ...ANSWERS.map((kind) =>
        row({
          label: `${kind}, ${whole(usual)} tasks, as structured content`,
          values: ofStage(usual, kind, 'structured'),
          aim: 'none',
        }),
      ),
    ]),
    '',
    '### Eight processes on one store, 200 tasks',
    '',
    ...table(head.slice(0, -1), contentionRows(servers)),
  ].join('\n');
}

function row({ label, values, show = whole, aim = 'least' }: Row): string[] {
  const numbers = values.filter((value) => typeof value === 'number');
  const best = Math.min(...numbers);
  const cells = values.map((value) => {
    if (typeof value !== 'number') return value?.error === undefined ? '–' : `failed: ${short(value.error)}`;
    return aim !== 'none' && value === best ? `**${show(value)}**` : show(value);
  });
  return [label, ...cells, aim === 'none' ? '' : verdict(values, aim)];
}

/** Cairn is the first of the servers. */
function verdict([own, ...others]: Value[], aim: Aim): string {
  if (typeof own !== 'number') return 'failed';
  const best = Math.min(...others.filter((value) => typeof value === 'number'));
  if (own <= best) return 'first';
  const factor = own / best;
  const place = 1 + others.filter((value) => typeof value === 'number' && value < own).length;
  const far = `${place}. of ${others.length + 1}, ${factor.toFixed(1)} times the best`;
  return aim === 'near' && factor <= START_FACTOR_MAX ? `within ${START_FACTOR_MAX} times (${factor.toFixed(1)})` : far;
}

function contentionRows(servers: About[]): string[][] {
  const cells = <Found extends object>(
    foundOf: (server: About) => Found | Failed | undefined,
    show: (found: Found) => string,
  ) =>
    servers.map((server) => {
      const found = foundOf(server);
      if (found === undefined) return `failed: ${short(server.error ?? '')}`;
      return isFailed(found) ? `failed: ${short(found.error)}` : show(found);
    });
  const claims = (show: (found: Claimed) => string) => cells((server) => server.claims, show);
  const lost = ({ acknowledged, lost, corrupt }: Written) =>
    corrupt === undefined ? `${lost} of ${acknowledged}` : `all of ${acknowledged}: the store is corrupt`;
  return [
    ['creates lost of those acknowledged', ...cells((server) => server.creates, lost)],
    ['updates lost of those acknowledged', ...cells((server) => server.updates, lost)],
    ['claims acknowledged', ...claims(({ acknowledged }) => whole(acknowledged))],
    ['tasks claimed twice or more', ...claims(({ twice, claimed }) => `${twice} of ${claimed}`)],
    ['claims a second', ...claims(({ acknowledged, ms }) => whole((acknowledged / ms) * 1_000))],
    [
      'calls that failed',
      ...servers.map((server) => whole(PHASES.reduce((sum, phase) => sum + errorsOf(server[phase]), 0))),
    ],
  ];
}

function errorsOf(found: Written | Claimed | Failed | undefined): number {
  return found === undefined || isFailed(found) ? 0 : found.errors;
}

function fieldOf(stage: Stage | Failed | undefined, kind: Kind, field: keyof Timed): Value {
  if (stage === undefined || isFailed(stage)) return stage;
  const found = stage[kind];
  return found === undefined || isFailed(found) ? found : found[field];
}

function isFailed(found: object): found is Failed {
  return 'error' in found;
}

const whole = (value: number) => Math.round(value).toLocaleString('en-US');
const fine = (value: number) => (value < 10 ? value.toFixed(1) : whole(value));
const short = (text: string) => text.replaceAll('|', '/').replace(/\s+/g, ' ').slice(0, 60);
