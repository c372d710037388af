import { readdir, readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, expect } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { ERROR_CODES } from '../../src/errors.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { renderError } from '../../src/tools/render.ts';
import { callTool } from '../../src/tools/tool.ts';
import { SHOWN } from '../runner/shown.ts';
import { test } from '../support/world.ts';

const ROOT = new URL('../../', import.meta.url);

const page = (path: string) => readFile(new URL(path, ROOT), 'utf8');

/** Every page that people read, by its path in the repository. */
async function pages(): Promise<string[]> {
  const docs = await readdir(new URL('docs/', ROOT), { recursive: true });
  const guides = docs.map((path) => `docs/${path.replaceAll('\\', '/')}`).filter((path) => path.endsWith('.md'));
  return ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...guides];
}

/** The cells of the table under a heading row, without their backticks. */
function table(markdown: string, header: string): string[][] {
  const lines = markdown.split('\n');
  const start = lines.indexOf(header);
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

/** The fenced blocks of a language. */
function blocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, fence]) => fence === language)
    .map(([, , body = '']) => body);
}

/** The commands that the help shows. */
function visible(command: Command): Command[] {
  return (
    command
      .createHelp()
      .visibleCommands(command)
      // Groups get one from Commander.
      .filter((one) => one.name() !== 'help' || command.parent === null)
  );
}

/** Returns the commands that have no subcommands. */
function leaves(command: Command): Command[] {
  return visible(command).flatMap((one) => (one.commands.length > 0 ? leaves(one) : one));
}

function headings(markdown: string): string[] {
  const titles = [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title);
  return titles.map((title) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe('the docs', () => {
  test('show the moves that the database allows', async ({ sql }) => {
    const { rows } = await sql.query('select event_type, from_status, to_status from app.task_moves');

    const shown = table(await page('docs/tasks.md'), '| event | from | to |');
    expect(shown).toEqual(rows.map((row) => Object.values(row)).sort());
  });

  test('list exactly the error codes there are', async () => {
    const codes = Object.entries(ERROR_CODES).map(([code, { status, retryable }]) => [
      code,
      String(status),
      retryable ? 'yes' : 'no',
    ]);

    const shown = table(await page('docs/errors.md'), '| code | status | retry | meaning | next step |');
    expect(shown.map((row) => row.slice(0, 3))).toEqual(codes);
    expect(shown.flat()).not.toContain('');
  });

  test('list exactly the event types there are, and who records them', async ({ sql }) => {
    const { rows } = await sql.query(
      `select event_type, case when internal then 'door' when verb_only then 'verb' else 'caller' end as by
       from app.event_types`,
    );
    const types = rows.map(({ event_type, by }) => [event_type, by]).sort();

    const shown = table(await page('docs/events.md'), '| type | by | says |');
    expect(shown.map((row) => row.slice(0, 2))).toEqual(types);
  });

  test('say what each driver shows with its stand-in', async () => {
    const names = Object.keys(SHOWN);
    const rows = table(await page('docs/control.md'), `| | ${names.map((name) => `\`${name}\``).join(' | ')} |`);

    const columns = names.map((_, at) => rows.map((row) => row[at + 1]));
    expect(columns).toEqual(Object.values(SHOWN).map((shown) => Object.values(shown)));
  });

  test('give examples of rules that are accepted, each kind of rule among them', async ({ as }) => {
    const examples = blocks(await page('docs/rules.md'), 'json').map((block) => JSON.parse(block));

    for (const [index, rules] of examples.entries()) {
      const created = await callTool(as('ada'), toolNamed('create_project'), {
        slug: `example-${index}`,
        name: 'An example',
        rules,
      });
      expect(created.structured).toMatchObject({ rules });
    }

    const gates = examples.flatMap((rules) => rules.gates ?? []);
    const triggers = examples.flatMap((rules) => rules.triggers ?? []);
    const keys = (objects: object[]) => [...new Set(objects.flatMap((object) => Object.keys(object)))].sort();
    expect(keys(examples)).toEqual(['attempts_max', 'gates', 'limits', 'memory', 'scope', 'traces', 'triggers']);
    expect(keys(examples.map(({ scope }) => scope ?? {}))).toEqual([
      'deny',
      'files_max',
      'lines_max',
      'notes',
      'paths',
    ]);
    expect(keys(gates.map(({ require }) => require))).toEqual([
      'approval',
      'artifacts',
      'clean_scope',
      'decision',
      'evidence',
    ]);
    expect(new Set(gates.map(({ on }) => on))).toEqual(new Set(['claim', 'complete', 'cancel', 'reopen']));
    expect(keys(triggers.map((trigger) => trigger.do))).toEqual([
      'create_task',
      'enqueue',
      'save_checkpoint',
      'set_status',
    ]);
    expect(keys([...gates, ...triggers].map(({ when }) => when ?? {}))).toEqual([
      'kind',
      'outcome',
      'priority',
      'type',
    ]);
  });

  test('list exactly the commands there are', async () => {
    const named = (command: Command, path: string): string[] =>
      visible(command).flatMap((one) =>
        one.commands.length > 0 ? named(one, `${path} ${one.name()}`) : `${path} ${one.name()}`,
      );

    const shown = table(await page('docs/cli.md'), '| command | does |').map(([name = '']) => name);
    expect(shown.map((name) => name.replace(/ \[?[A-Z]+\]?$/, '')).sort()).toEqual(
      ['cairn', ...named(createProgram(), 'cairn')].sort(),
    );
  });

  test('offer --json with every command, save those whose output is for a shell, an agent or the eye', () => {
    const without = leaves(createProgram()).filter(({ options }) => !options.some(({ long }) => long === '--json'));

    expect(without.map((command) => command.name()).sort()).toEqual(['completion', 'demo', 'help', 'hook']);
  });

  test('show an example in the help of every command', () => {
    const help = (command: Command) => {
      let shown = '';
      command
        .configureOutput({
          writeOut: (text) => {
            shown += text;
          },
        })
        .outputHelp();
      return shown;
    };

    const without = leaves(createProgram()).filter((command) => !help(command).includes('Examples:\n  '));
    expect(without.map((command) => command.name())).toEqual([]);
  });

  test('link only to what is there', async () => {
    const broken: string[] = [];
    for (const path of await pages()) {
      const text = (await page(path)).replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '');
      for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const url = new URL(target, new URL(path, ROOT));
        const found = await stat(fileURLToPath(new URL(url.pathname, ROOT))).catch(() => null);
        const anchor = url.hash.slice(1);
        const isThere = found !== null && (anchor === '' || headings(await readFile(url, 'utf8')).includes(anchor));
        if (!isThere) broken.push(`${path}: ${target}`);
      }
    }

    expect(broken).toEqual([]);
  });

  test('name only npm scripts that there are', async () => {
    const { scripts } = JSON.parse(await page('package.json'));
    const texts = await Promise.all(['README.md', 'CONTRIBUTING.md'].map(page));
    const named = texts.flatMap((text) => [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, script = '']) => script));

    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });
});

describe('the README', () => {
  test('shows a transcript that happens', async ({ as }) => {
    await callTool(as('ada'), toolNamed('create_project'), { slug: 'web', name: 'Web shop' });
    const task = { title: 'Add a login page', acceptance_criteria: ['A user can sign in'], priority: 'high' };
    await callTool(as('ada'), toolNamed('create_tasks'), { tasks: [task] });
    const undated = (text: string) => text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<time>');
    const [transcript = ''] = blocks(await page('README.md'), 'text');

    for (const [, who = '', tool = '', args = '', shown = ''] of transcript.matchAll(
      /^(\w+)> (\w+) (.+)\n((?: {5}.+\n)+)/gm,
    )) {
      const answer = await callTool(as(who), toolNamed(tool), JSON.parse(args)).then(({ text }) => text, renderError);

      const lines = shown.split('\n').map((line) => line.trim().replace(/ …$/, ''));
      for (const line of lines) expect(undated(answer)).toContain(undated(line));
    }
    expect(transcript.split('\n')).toHaveLength(11);
  });

  test('shows every variable with its flag, where it has one', async () => {
    const config = await page('src/config.ts');
    const variables = [...config.matchAll(/^ {2}\w+: '([A-Z_]+)',$/gm)].map(([, name]) => name);
    const program = createProgram();
    const flags = [program, ...program.commands].flatMap(({ options }) => options.map(({ long }) => long));

    const pages = await Promise.all(['README.md', 'docs/http.md', 'docs/identity.md', 'docs/auth.md'].map(page));
    const shown = pages.flatMap((text) => table(text, '| flag | variable | default | meaning |'));
    expect(shown.map(([, variable]) => variable)).toEqual(variables);
    expect(flags).toEqual(expect.arrayContaining(shown.flatMap(([flag = '']) => (flag === '' ? [] : flag))));
  });
});
