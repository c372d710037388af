import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inCommands } from '../../src/cli/hints.ts';
import { createProgram } from '../../src/cli/program.ts';
import { TOOLSETS } from '../../src/tools/catalog.ts';

const ARGUMENTS = ['lock_token', 'idempotency_key', 'expected_version', 'take_over', 'page_size'];
// Said to whoever calls the door or a tool with what no command passes on.
const NOT_FOR_PEOPLE = [
  'claims are made by claim_task',
  'expect may hold version and lock_token',
  'idempotency_key must have 1 to 200',
  'This idempotency_key was used',
  'the lock_token %s is not the live one',
  'list_sessions shows the ids',
  'pass take_over: true.',
  'page_size is %s',
];
const TOOLS = TOOLSETS.flatMap(({ tools }) => tools.map(({ name }) => name)).filter((name) => name.includes('_'));
const WORD = new RegExp(`\\b(${[...TOOLS, ...ARGUMENTS].join('|')})\\b`);

/** The sentences that SQL refuses with and the hints of TypeScript, adjacent literals joined. */
function sentences(): string[] {
  const schema = readdirSync('supabase/code')
    .map((name) => readFileSync(join('supabase/code', name), 'utf8'))
    .join('\n')
    .replace(/'\s*(?:\|\||\n)\s*'/g, '');
  const refused = [...schema.matchAll(/app\.fail\(([\s\S]*?)\);\n/g)].flatMap(([, args = '']) => [
    ...args.matchAll(/'((?:[^']|'')*)'/g),
  ]);
  const answered = schema.matchAll(/'([A-Z](?:[^'\n]|'')*)'/g);
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !/^(cli|tools)\b/.test(name))
    .map((name) => readFileSync(join('src', name), 'utf8'));
  const hints = sources.flatMap((source) => [...source.matchAll(/(?:hint: |_HINT =\s+|'\d\w{4}': )'([^'\n]*)'/g)]);
  return [...new Set([...refused, ...answered, ...hints].map(([, text = '']) => text))].filter((text) =>
    text.includes(' '),
  );
}

/** What tells its reader something: every text of SQL, and in TypeScript hints and what a command is for. */
function told(): string[] {
  const schema = readdirSync('supabase/code')
    .map((name) => readFileSync(join('supabase/code', name), 'utf8').replace(/^\s*--.*$/gm, ''))
    .flatMap((code) => [...code.replace(/'\s*(?:\|\||\n)\s*'/g, '').matchAll(/'((?:[^'\n]|'')*)'/g)]);
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join('src', name), 'utf8'));
  const hints = sources.flatMap((source) => [
    ...source.matchAll(/(?:hint:|description\(|mistyped\([^']*'[^']*',)\s*(['`])((?:\\.|(?!\1).)*)\1/g),
  ]);
  return [...schema.map(([, text = '']) => text), ...hints.map(([, , text = '']) => text.replaceAll('\\`', '`'))];
}

test('a command within a sentence is in backticks; only after a colon it stands to be copied', () => {
  const names = createProgram().commands.map((command) => command.name());
  const bare = new RegExp(`(?:^|(?<!: )(?<=\\s|\\())cairn (?:${names.join('|')})\\b.*[.)]`);

  expect(told().length).toBeGreaterThan(500);
  expect(told().filter((text) => bare.test(text))).toEqual([]);
});

describe('what an agent is told to do', () => {
  const told = sentences().filter((text) => WORD.test(text) && !NOT_FOR_PEOPLE.some((part) => text.includes(part)));

  test('is found in SQL and in TypeScript', () => {
    expect(told.length).toBeGreaterThan(30);
  });

  test.each(told)('is told to people without the names of tools: %s', (text) => {
    const said = text.replace('claim_task %s', 'claim_task web-12').replaceAll('%s', '12');
    const shown = inCommands(said).replace(/an agent's \w+/g, '');

    expect(shown).not.toMatch(WORD);
  });
});

test('a command is in the place of the tool, with its argument', () => {
  expect(inCommands('claim_task web-3 takes it again, with a new lock_token.')).toBe(
    '`cairn claim web-3` takes it again.',
  );
  expect(inCommands('What is left is blocked: list_tasks with status blocked shows why.')).toBe(
    'What is left is blocked: `cairn tasks --status blocked` shows why.',
  );
  expect(inCommands('Claim it with claim_task, then pass the lock_token.', 'web-3')).toBe(
    'Claim it: `cairn claim web-3`.',
  );
  expect(inCommands('evidence: [{"criterion": 1, "note": ""}, {"criterion": 2, "note": ""}, and so on].')).toBe(
    '--evidence "1: …".',
  );
  expect(inCommands('The database is restarting. Repeat the call with the same idempotency_key.')).toBe(
    'The database is restarting. Repeat the command.',
  );
});
