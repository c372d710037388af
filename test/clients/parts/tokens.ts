// Counts the tokens that Cairn gives the model of each client: at the start of a session, and in a day's work. Once
// with text, the default, and once with data beside the text.
import { join } from 'node:path';
import { argv } from 'node:process';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { countingAgent, EVERYDAY } from '../../../bench/everyday.ts';
import { table, writeSection } from '../../../bench/section.ts';
import type { ClientName, Given } from '../given.ts';
import type { Play } from '../model.ts';
import { edit, type Place, withEach } from '../place.ts';
import { PROGRAMS } from '../programs.ts';
import { startSession } from '../session.ts';

type Output = (typeof OUTPUTS)[number];
/** Tokens, by what they were for. */
type Costs = Record<string, number>;

// Ids and times of two runs do not make the same number of tokens.
const EQUAL = 1.01;
const OUTPUTS = ['both', 'text'] as const;
const START = 'the start of a session';
const TOOLS = [
  ...['create_tasks', 'claim_task', 'record_event', 'record_decision', 'add_artifact', 'complete_task'],
  ...['save_checkpoint', 'release_task', 'resume_project', 'list_events', 'list_tasks', 'search'],
];

export async function tokens(given: Given): Promise<void> {
  const columns = new Map<string, Costs>();
  const without = new Map<ClientName, number>();
  await withEach(given, async (name, place) => {
    const { agent } = await (await startSession(PROGRAMS[name], place, { play: async () => {} })).ended;
    without.set(name, countTokens(agent.first.all));
  });
  for (const output of OUTPUTS) {
    await withEach(given, async (name, place) => {
      const costs = await day(name, place, output);
      costs[START] = (costs[START] ?? Number.NaN) - (without.get(name) ?? Number.NaN);
      const answers = sum(Object.keys(EVERYDAY).map((what) => costs[what] ?? 0));
      columns.set(columnOf(name, output), { ...costs, 'these eleven': answers, all: sum(Object.values(costs)) });
    });
  }
  const { clients, expectOf, say } = given;
  for (const name of clients) {
    const allOf = (output: Output) => columns.get(columnOf(name, output))?.all ?? Number.NaN;
    const both = allOf('both');
    const text = allOf('text');
    expectOf(name)('text alone costs no more than with data', text <= both * EQUAL, `${text}, with data ${both}`);
  }
  const names = clients.flatMap((name) => OUTPUTS.map((output) => columnOf(name, output)));
  const report = reportOf(new Map(names.map((name) => [name, columns.get(name) ?? {}])));
  say(report);
  if (argv.includes('--write')) say(`wrote ${await writeSection('clients', report)}`);
}

function sum(costs: number[]): number {
  return costs.reduce((total, cost) => total + cost, 0);
}

function columnOf(name: ClientName, output: Output): string {
  return `${PROGRAMS[name].title}, ${output}`;
}

async function day(name: ClientName, place: Place, output: Output): Promise<Costs> {
  const program = PROGRAMS[name];
  await place.init(program.client, '--no-instructions');
  await edit(join(place.cwd, program.config), (text) => text.replace(/"[^"]*cli\.js"/, `$&, "--output", "${output}"`));
  const costs: Costs = {};
  const play: Play = async (agent) => {
    costs[START] = countTokens(agent.first.all);
    await agent.find(TOOLS);
    costs['finding its tools'] = countTokens((agent.requests.at(-1) ?? agent.first).all) - countTokens(agent.first.all);
    const counting = countingAgent(async (tool, args) => {
      const { text, isError } = await agent.call(tool, args);
      if (isError) throw new Error(`${tool}: ${text}`);
      return text;
    });
    for (const [what, task] of Object.entries(EVERYDAY)) {
      counting.forget();
      await task(counting);
      costs[what] = counting.cost().read;
    }
  };
  await (await startSession(program, place, { play })).ended;
  return costs;
}

function reportOf(columns: Map<string, Costs>): string {
  const rows = Object.keys([...columns.values()][0] ?? {}).map((what) => [
    what,
    ...[...columns.values()].map((column) => column[what]?.toLocaleString('en') ?? ''),
  ]);
  return [
    `Made by \`npm run test:clients -- tokens --write\` on ${new Date().toISOString().slice(0, 10)}.`,
    '',
    ...table(['tokens shown to the model of', ...columns.keys()], rows),
  ].join('\n');
}
