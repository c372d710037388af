// The tables of docs/performance.md that set Cairn beside its peers. The best of a row is bold.
import { cpus, loadavg, platform } from 'node:os';
import { table } from '../section.mjs';

const KINDS = ['create', 'update', 'list', 'next', 'take'];
const ANSWERS = ['create', 'update', 'list', 'next'];
const START_FACTOR_MAX = 2;

/** @typedef {{ label: string, values: (number | undefined | { error: string })[], show?: (value: number) => string, aim?: 'least' | 'near' | 'none' }} Row */

export function renderPeers({ command, sizes, servers }) {
  const head = ['', ...servers.map(({ name }) => name), 'Cairn'];
  const ofStage = (size, kind, field) =>
    servers.map(({ stages }) => fieldOf(stages[size]?.[kind] ?? stages[size], field));
  const largest = sizes.at(-1);
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

/** @param {Row} row */
function row({ label, values, show = whole, aim = 'least' }) {
  const numbers = values.filter((value) => typeof value === 'number');
  const best = Math.min(...numbers);
  const cells = values.map((value) => {
    if (typeof value !== 'number') return value?.error === undefined ? '–' : `failed: ${short(value.error)}`;
    return aim !== 'none' && value === best ? `**${show(value)}**` : show(value);
  });
  return [label, ...cells, aim === 'none' ? '' : verdict(values, aim)];
}

/** Cairn is the first of the servers. */
function verdict([own, ...others], aim) {
  if (typeof own !== 'number') return 'failed';
  const best = Math.min(...others.filter((value) => typeof value === 'number'));
  if (own <= best) return 'first';
  const factor = own / best;
  const place = 1 + others.filter((value) => typeof value === 'number' && value < own).length;
  const far = `${place}. of ${others.length + 1}, ${factor.toFixed(1)} times the best`;
  return aim === 'near' && factor <= START_FACTOR_MAX ? `within ${START_FACTOR_MAX} times (${factor.toFixed(1)})` : far;
}

function contentionRows(servers) {
  const cells = (phase, show) =>
    servers.map((server) => {
      const found = server[phase];
      if (found === undefined || found.error !== undefined)
        return `failed: ${short(found?.error ?? server.error ?? '')}`;
      return show(found);
    });
  const lost = ({ acknowledged, lost, corrupt }) =>
    corrupt === undefined ? `${lost} of ${acknowledged}` : `all of ${acknowledged}: the store is corrupt`;
  return [
    ['creates lost of those acknowledged', ...cells('creates', lost)],
    ['updates lost of those acknowledged', ...cells('updates', lost)],
    ['claims acknowledged', ...cells('claims', ({ acknowledged }) => whole(acknowledged))],
    ['tasks claimed twice or more', ...cells('claims', ({ twice, claimed }) => `${twice} of ${claimed}`)],
    ['claims a second', ...cells('claims', ({ acknowledged, ms }) => whole((acknowledged / ms) * 1_000))],
    [
      'calls that failed',
      ...servers.map((server) =>
        whole(['creates', 'updates', 'claims'].reduce((sum, phase) => sum + (server[phase]?.errors ?? 0), 0)),
      ),
    ],
  ];
}

function fieldOf(found, field) {
  return found?.error === undefined ? found?.[field] : found;
}

const whole = (value) => Math.round(value).toLocaleString('en-US');
const fine = (value) => (value < 10 ? value.toFixed(1) : whole(value));
const short = (text) => text.replaceAll('|', '/').replace(/\s+/g, ' ').slice(0, 60);
