import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Ran } from '../support/cairn.ts';
import { cairnHere } from '../support/cairn-here.ts';
import { connect } from '../support/client.ts';
import { seedDataDir } from '../support/data-dir.ts';
import { commandLines, fencedBlocks, missingLines, transcriptOf, whyNotRun, wordsOf } from '../support/doc-commands.ts';

const ROOT = new URL('../../', import.meta.url);
const FIXTURES = fileURLToPath(new URL('../fixtures/import/', import.meta.url));
const page = (path: string) => readFile(new URL(path, ROOT), 'utf8');

/** A home and a working directory as a new user has them. */
async function openHome() {
  const home = await mkdtemp(join(tmpdir(), 'cairn-docs-'));
  // A server started by root runs as another user, who must reach it.
  if (process.getuid?.() === 0) await chmod(home, 0o755);
  await seedDataDir(join(home, 'cairn'));
  const env = {
    HOME: home,
    USERPROFILE: home,
    LOCALAPPDATA: home,
    APPDATA: home,
    XDG_DATA_HOME: home,
    XDG_CONFIG_HOME: home,
    NO_COLOR: '1',
    // One database for all the commands of a page; the end stops it.
    CAIRN_LINGER_SECONDS: '60',
  };
  return {
    home,
    env,
    dataDir: join(home, 'cairn'),
    run: (args: string[]): Promise<Ran> => cairnHere(['--data-dir', join(home, 'cairn'), ...args], { cwd: home, env }),
    async close() {
      await cairnHere(['--data-dir', join(home, 'cairn'), 'db', 'stop'], { cwd: home, env });
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

describe('the tutorial', () => {
  test('goes as written, from an empty home', { timeout: 120_000 }, async () => {
    const user = await openHome();
    let agent: Awaited<ReturnType<typeof connect>> | undefined;
    let held = {};
    let shown = '';
    try {
      for (const { language, about, body } of fencedBlocks(await page('docs/tutorial.md'))) {
        if (language === 'md') await writeFile(join(user.home, about.replace('file=', '')), body);
        for (const line of about === 'skip' ? [] : commandLines([{ language, about, body }])) {
          const { code, stdout, stderr } = await user.run(wordsOf(line).slice(1));
          expect(code, `${line}\n${stderr}`).toBe(0);
          shown += stdout;
        }
        if (language === 'json') await agent?.call('update_project', { project: 'shop', rules: JSON.parse(body) });
        if (body.startsWith('You hold')) {
          agent = await connect('v1 client', 'ada', ['--data-dir', user.dataDir]);
          expect((await agent.call('resume_project', { project: 'shop' })).isError).toBe(false);
          const claimed = await agent.call('claim_task', { project: 'shop' });
          held = { task: 'shop-2', lock_token: (claimed.data.task as { lock_token: number }).lock_token };
          shown = claimed.text;
        }
        if (body.startsWith('gate_unmet')) shown = (await agent?.call('complete_task', held))?.text ?? '';
        if (language === 'text') expect(missingLines(body, shown), shown).toEqual([]);
        if (language === 'text') shown = '';
      }
    } finally {
      await agent?.close();
      await user.close();
    }
  });
});

describe('the page for people at a terminal', () => {
  test('goes as written', { timeout: 120_000 }, async () => {
    const user = await openHome();
    const agent = await connect('v1 client', 'ada', ['--data-dir', user.dataDir]);
    const play = async ([tool, input]: [string, Record<string, unknown>]) => {
      const { isError, text } = await agent.call(tool, input);
      expect(isError, text).toBe(false);
    };
    try {
      for (const block of fencedBlocks(await page('docs/people.md'))) {
        for (const step of block.about === 'agent' ? JSON.parse(block.body) : []) await play(step);
        for (const { line, shown } of block.language === 'console' ? transcriptOf(block) : []) {
          const { code, stdout, stderr } = await user.run(wordsOf(line).slice(1));
          expect(code, `${line}\n${stderr}`).toBe(0);
          expect(missingLines(shown, stdout), `${line}\n${stdout}`).toEqual([]);
        }
      }
    } finally {
      await agent.close();
      await user.close();
    }
  });
});

describe('the commands of', async () => {
  let user: Awaited<ReturnType<typeof openHome>>;

  beforeAll(async () => {
    user = await openHome();
    const tasks = Array.from({ length: 14 }, (_, at) => `- [ ] WEB-${at + 1}: Task ${at + 1}`);
    await writeFile(join(user.home, 'plan.md'), `# Web\n\n${tasks.join('\n')}\n`);
    await cp(join(FIXTURES, 'beads'), join(user.home, '.beads'), { recursive: true });
    expect(await user.run(['import', 'plan.md', '--project', 'web'])).toMatchObject({ code: 0 });
    // A client that `cairn init` finds.
    await mkdir(join(user.home, '.cursor'));
    await writeFile(join(user.home, '.cairn.json'), '{ "project": "web" }');
  });
  afterAll(() => user.close());

  const names = (await readdir(new URL('docs/', ROOT), { recursive: true })).map((name) => name.replaceAll('\\', '/'));
  const guides = names.filter((name) => name.endsWith('.md') && name !== 'tutorial.md');
  const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...guides.map((name) => `docs/${name}`)];
  const withCommands: [path: string, lines: string[]][] = [];
  for (const path of pages) {
    // Cairn's commands that are not run are checked against their help.
    const lines = commandLines(fencedBlocks(await page(path))).filter(
      (line) => whyNotRun(line) === undefined || wordsOf(line)[0] === 'cairn',
    );
    if (lines.length > 0) withCommands.push([path, lines]);
  }

  test.for(withCommands)('%s work', { timeout: 120_000 }, async ([, lines]) => {
    for (const line of lines) {
      const [program = '', ...args] = wordsOf(line);
      if (whyNotRun(line) === undefined) {
        expect(program, line).toBe('cairn');
        const { code, stderr } = await user.run(args);
        expect(code, `${line}\n${stderr}`).toBe(0);
      } else {
        const named = args.filter((word) => /^[a-z]+$/.test(word)).slice(0, 2);
        const { code, stdout } = await user.run([...named, '--help']);
        expect(code, line).toBe(0);
        for (const flag of args.filter((word) => word.startsWith('--'))) {
          expect(stdout, line).toContain(flag.split('=')[0]);
        }
      }
    }
  });
});
