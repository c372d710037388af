import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPersonWorld, type PersonWorld } from '../support/person-world.ts';

let world: PersonWorld;

beforeAll(async () => {
  world = await openPersonWorld();
});

afterAll(() => world?.close());

const inHome = (name: string) => join(world.home, name);

describe('presets', () => {
  test('without one there is nothing to see', async () => {
    expect(await world.run(['presets'])).toMatchObject({
      code: 0,
      stdout: 'No presets. `cairn presets save NAME --content "…"` keeps one.\n',
    });
    const { code, stderr } = await world.run(['presets', 'show', 'review']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('`cairn presets` shows their names.')]);
  });

  test('one is saved, shown and listed', async () => {
    const content = 'Review {{branch}}, {{depth}}.';
    const flags = ['--type', 'review', '--for', 'claude', '--for', 'codex', '--var', 'branch=main', '--var', 'depth'];

    const said = await world.run(['presets', 'save', 'review', '--content', content, ...flags]);

    expect(said).toMatchObject({ code: 0, stdout: 'The preset review is saved.\n' });
    expect((await world.run(['presets', 'show', 'Review'])).stdout).toBe(
      `review  review, for claude, codex\n\n${content}\n\n{{branch}}  default: main\n{{depth}}  needed\n`,
    );
    expect((await world.run(['presets'])).stdout).toMatch(
      /^PRESET +TYPE +FOR +VARIABLES +COMMAND\nreview +review +claude, codex +branch, depth +Review \{\{branch\}\}/,
    );
    expect((await world.json('presets', 'list')).presets).toMatchObject([{ name: 'review', type: 'review', content }]);
  });

  test('one takes its content from a file or standard input, and keeps what is not named', async () => {
    await writeFile(inHome('review.md'), 'Look at {{branch}}.\nDeeply: {{depth}}.\n');
    await world.agent.call('save_preset', {
      name: 'review',
      variables: [
        { name: 'branch', description: 'What to look at.', default: 'main' },
        { name: 'depth', description: 'How far.' },
      ],
    });

    await world.run([
      'presets',
      'save',
      'review',
      '--file',
      inHome('review.md'),
      '--var',
      'branch',
      '--var',
      'depth=x=y',
    ]);

    expect(await world.json('presets', 'show', 'review')).toMatchObject({
      type: 'review',
      content: 'Look at {{branch}}.\nDeeply: {{depth}}.',
      variables: [
        { name: 'branch', description: 'What to look at.' },
        { name: 'depth', description: 'How far.', default: 'x=y' },
      ],
    });
    const piped = await world.run(['presets', 'save', 'go', '--file', '-', '--project', 'web', '--json'], {
      input: 'Go on.\n',
    });
    expect(JSON.parse(piped.stdout)).toMatchObject({ content: 'Go on.', type: 'natural', project: 'web' });
  });

  test('one is refused in the words of the command line', async () => {
    const save = async (...args: string[]) => {
      const { code, stderr } = await world.run(['presets', 'save', ...args]);
      return [code, stderr];
    };

    expect(await save('fix', '--content', 'Fix {{what}}.')).toEqual([
      1,
      expect.stringContaining('The content has {{what}}, which is not declared.\nDeclare it with --var NAME=DEFAULT'),
    ]);
    expect(await save('fix')).toEqual([1, expect.stringContaining('content')]);
    expect(await save('fix', '--content', 'x', '--var', 'No=x')).toEqual([
      2,
      expect.stringContaining('--variables must'),
    ]);
    expect(await save('fix', '--content', 'x', '--type', 'other')).toEqual([2, expect.stringContaining('natural')]);
    expect(await save('fix', '--content', 'x', '--file', 'y')).toEqual([
      2,
      expect.stringContaining('Give one of them.'),
    ]);
    expect(await save('fix', '--file', inHome('none'))).toEqual([1, expect.stringContaining('cannot be used')]);
    expect((await world.run(['presets', 'rm', 'fix'])).stderr).toContain('Did you mean remove?');
  });

  test('they are exported, and imported as new, changed or unchanged', async () => {
    const file = inHome('presets.json');
    const exported = await world.run(['presets', 'export', file]);
    expect(exported).toMatchObject({ code: 0, stderr: `Exported to ${file}.\n` });
    const { presets } = JSON.parse(await readFile(file, 'utf8'));
    expect(presets.map(({ name }: { name: string }) => name)).toEqual(['go', 'review']);
    expect((await world.run(['presets', 'export'])).stdout).toBe(await readFile(file, 'utf8'));
    expect((await world.run(['presets', 'import', file])).stdout).toBe('0 new, 0 changed, 2 unchanged.\n');
    await world.run(['presets', 'remove', 'go']);
    await world.run(['presets', 'save', 'review', '--description', 'x', '--type', 'plan']);

    const said = await world.json('presets', 'import', file);

    expect(said).toEqual({ new: ['go'], changed: ['review'], unchanged: [] });
    expect(await world.json('presets', 'show', 'review')).toMatchObject({ type: 'review' });
    expect(await world.json('presets', 'show', 'review')).not.toHaveProperty('description');
    const piped = await world.run(['presets', 'import', '-'], { input: await readFile(file, 'utf8') });
    expect(piped.stdout).toBe('0 new, 0 changed, 2 unchanged.\n');
  });

  test.for<[about: string, text: string, fault: string]>([
    ['no JSON', '{', 'is not JSON'],
    ['another document', '{"tasks": []}', 'presets is missing.'],
    ['no content', '{"presets": [{"name": "new", "content": "x"}, {"name": "a"}]}', 'presets[1].content is missing.'],
    [
      'a type that is none',
      '{"presets": [{"name": "a", "content": "x", "type": "y"}]}',
      'presets[0].type must be one of',
    ],
    ['another field', '{"presets": [{"name": "a", "content": "x", "x": 1}]}', 'presets[0] has no argument x.'],
    [
      'a variable that is not declared',
      '{"presets": [{"name": "new", "content": "x"}, {"name": "a", "content": "{{b}}"}]}',
      'presets[1].content must not have {{b}}, which is not among its variables.',
    ],
    [
      'a variable twice',
      '{"presets": [{"name": "a", "content": "x", "variables": [{"name": "b", "description": ""}, {"name": "b", "description": ""}]}]}',
      'presets[0].variables must have each name once.',
    ],
    [
      'a name twice',
      '{"presets": [{"name": "new", "content": "x"}, {"name": "New", "content": "x"}]}',
      'presets[1].name must be there once.',
    ],
  ])('a file with %s is refused by the place of the fault, and nothing of it is saved', async ([, text, fault]) => {
    await writeFile(inHome('bad.json'), text);

    const { code, stderr } = await world.run(['presets', 'import', inHome('bad.json')]);

    expect([code, stderr]).toEqual([1, expect.stringContaining(fault)]);
    expect(stderr).toContain('Nothing was imported.');
    expect((await world.json('presets')).presets).toHaveLength(2);
  });

  test('one is removed', async () => {
    expect(await world.run(['presets', 'remove', 'review'])).toMatchObject({
      code: 0,
      stdout: 'The preset review is removed.\n',
    });
    expect(await world.run(['presets', 'remove', 'review'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no preset review.\n`cairn presets` shows their names.'),
    });
  });
});

describe('profiles', () => {
  test('without one there is nothing to see', async () => {
    expect(await world.run(['profiles'])).toMatchObject({
      code: 0,
      stdout: 'No profiles. `cairn profiles save NAME --time 30m` keeps one.\n',
    });
  });

  test('one is saved with its limits, changed, listed and removed', async () => {
    const limits = ['--time', '10m', '--tokens', '200k', '--memory', '2g', '--cpu', '80%', '--silence', '90s'];
    const said = await world.run(['profiles', 'save', 'careful', ...limits, '--default', '--description', 'At night.']);
    expect(said).toMatchObject({ code: 0, stdout: 'The profile careful is saved, and is the default.\n' });
    const careful = {
      name: 'careful',
      time_limit_ms: 600_000,
      token_budget: 200_000,
      memory_limit_mb: 2_048,
      cpu_limit_percent: 80,
      silence_limit_ms: 90_000,
      is_default: true,
    };
    expect(await world.json('profiles', 'list')).toMatchObject({ profiles: [careful] });

    await world.run(['profiles', 'save', 'fast', '--time', '1h', '--default']);
    await world.run(['profiles', 'save', 'careful', '--cpu', 'none', '--tokens', '5m', '--memory', '512']);

    const { stdout } = await world.run(['profiles']);
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['PROFILE', 'TIME', 'TOKENS', 'MEMORY', 'SILENCE', 'DEFAULT', 'WHAT'],
      ['fast', '1h', 'default'],
      ['careful', '10m', '5000000', '512 MB', '90s', 'At night.'],
      [''],
    ]);
    expect(await world.json('profiles', 'save', 'fast', '--no-default')).toMatchObject({ is_default: false });
    expect((await world.run(['profiles', 'remove', 'fast'])).stdout).toBe('The profile fast is removed.\n');
    expect((await world.run(['profiles', 'remove', 'fast'])).stderr).toContain('`cairn profiles` shows their names.');
  });

  test.for([
    ['--time', '25h'],
    ['--tokens', 'many'],
    ['--memory', '1t'],
    ['--cpu', '0'],
    ['--silence', '5'],
  ] as const)('%s %s is refused', async ([option, value]) => {
    const { code, stderr } = await world.run(['profiles', 'save', 'odd', option, value]);

    expect([code, stderr]).toEqual([2, expect.stringContaining('It must be a')]);
  });
});
