// What Cairn gives the model of each client to read: at the start of a session, and in a day's work. With text, as it answers by default,
// and with data beside the text.
import { join } from 'node:path';
import { argv } from 'node:process';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { countingAgent, EVERYDAY } from '../../../build/bench/everyday.js';
import { table, writeSection } from '../../../build/bench/section.js';
import { edit, withEach } from '../place.mjs';
import { PROGRAMS } from '../programs.mjs';
import { startSession } from '../session.mjs';

// Ids and times of two runs do not make the same number of tokens.
const EQUAL = 1.01;
const OUTPUTS = ['both', 'text'];
const TOOLS = [
  ...['create_tasks', 'claim_task', 'record_event', 'record_decision', 'add_artifact', 'complete_task'],
  ...['save_checkpoint', 'release_task', 'resume_project', 'list_events', 'list_tasks', 'search'],
];

/** @param {import('../parts.mjs').Given} given */
export async function tokens(given) {
  /** @type {Map<string, Record<string, number>>} */
  const columns = new Map();
  const without = {};
  await withEach(given, async (name, place) => {
    const { agent } = await (await startSession(PROGRAMS[name], place, { play: async () => {} })).ended;
    without[name] = countTokens(agent.requests[0].all);
  });
  for (const output of OUTPUTS) {
    await withEach(given, async (name, place) => {
      const costs = await day(name, place, output);
      costs['the start of a session'] -= without[name];
      const answers = sum(Object.keys(EVERYDAY).map((what) => costs[what] ?? 0));
      columns.set(columnOf(name, output), { ...costs, 'these eleven': answers, all: sum(Object.values(costs)) });
    });
  }
  const { clients, expectOf, say } = given;
  for (const name of clients) {
    const [both, text] = OUTPUTS.map((output) => columns.get(columnOf(name, output))?.all ?? Number.NaN);
    expectOf(name)('text alone costs no more than with data', text <= both * EQUAL, `${text}, with data ${both}`);
  }
  const names = clients.flatMap((name) => OUTPUTS.map((output) => columnOf(name, output)));
  const report = reportOf(new Map(names.map((name) => [name, columns.get(name) ?? {}])));
  say(report);
  if (argv.includes('--write')) say(`wrote ${await writeSection('clients', report)}`);
}

/** @param {number[]} costs */
function sum(costs) {
  return costs.reduce((total, cost) => total + cost, 0);
}

/** @param {string} name @param {string} output */
function columnOf(name, output) {
  return `${PROGRAMS[name]?.title}, ${output}`;
}

/** @param {string} name @param {import('../place.mjs').Place} place @param {string} output */
async function day(name, place, output) {
  const program = PROGRAMS[name];
  await place.init(program.client, '--no-instructions');
  await edit(join(place.cwd, program.config), (text) =>
    text.replace('"--data-dir"', `"--output", "${output}", "--data-dir"`),
  );
  /** @type {Record<string, number>} */
  const costs = {};
  const play = async (agent) => {
    costs['the start of a session'] = countTokens(agent.requests[0].all);
    await agent.find(TOOLS);
    costs['finding its tools'] = countTokens(agent.requests.at(-1).all) - countTokens(agent.requests[0].all);
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

/** @param {Map<string, Record<string, number>>} columns */
function reportOf(columns) {
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
