// npm run test:clients: agent programs from npm against this checkout, their models played on loopback; CONTRIBUTING.md
// says how to install them. It names what each part expected, and ends with 1 when something was not so.
//
//   npm run test:clients                      all parts with all clients
//   npm run test:clients -- loop tokens codex these parts with these clients
import process from 'node:process';
import { table } from '../../bench/section.ts';
import { Expectations } from './expectations.ts';
import type { ClientName } from './given.ts';
import { PARTS } from './parts.ts';
import { isInstalled, PROGRAMS } from './programs.ts';

const words = process.argv.slice(2).filter((word) => word !== '--write');
const unknown = words.filter((word) => !(word in PARTS) && !(word in PROGRAMS));
if (unknown.length > 0) {
  say(
    `There is no ${unknown.join(', ')}. Parts: ${Object.keys(PARTS).join(', ')}. Clients: ${Object.keys(PROGRAMS).join(', ')}.`,
  );
  process.exit(2);
}
const named = <Name extends string>(table: Record<Name, unknown>): Name[] => {
  const names = Object.keys(table) as Name[];
  const chosen = names.filter((name) => words.includes(name));
  return chosen.length > 0 ? chosen : names;
};
const clients = named(PROGRAMS).filter((name) => {
  if (!isInstalled(name)) say(`${PROGRAMS[name].title} is not installed: left out.`);
  return isInstalled(name);
});
if (clients.length === 0) {
  say('There is no client to run: CONTRIBUTING.md says how to install them.');
  process.exit(2);
}

// Exiting ends the processes that this one started.
process.once('SIGINT', () => process.exit(130));
const expectations = new Expectations();
for (const part of named(PARTS)) {
  const { run, needs } = PARTS[part];
  const able = clients.filter((name) => needs === undefined || needs.includes(name));
  if (able.length === 0) {
    say(`${part}: left out, for it needs ${needs?.join(' and ')}.`);
    continue;
  }
  say(`\n## ${part}\n`);
  const expectOf = (client: ClientName) => expectations.of(part, client);
  await run({ clients: able, expectOf, say }).catch((error: Error) => {
    for (const client of able) expectOf(client)('it runs to its end', false, error.stack);
  });
}

say(`\n${table(['part', 'expected', ...clients], expectations.rows(clients)).join('\n')}`);
for (const { part, client, what, seen } of expectations.failed) say(`\nNOT MET: ${part}, ${client}: ${what}\n${seen}`);
process.exit(expectations.failed.length === 0 ? 0 : 1);

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
