import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Check } from '../../src/cli/setup/checks.ts';
import { cairnHere } from '../support/cairn-here.ts';

let home: string;
let repository: string;

async function doctor(...args: string[]): Promise<{ code: number | null; ok: boolean; checks: Record<string, Check> }> {
  const env = { HOME: home, USERPROFILE: home, APPDATA: home, XDG_CONFIG_HOME: join(home, '.config'), PATH: '' };
  const flags = ['--data-dir', join(home, 'data'), 'doctor', '--json', ...args];
  const { code, stdout } = await cairnHere(flags, { cwd: repository, env });
  const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: Check[] };
  return { code, ok, checks: Object.fromEntries(checks.map((check) => [check.name, check])) };
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn-doctor-'));
  if (process.getuid?.() === 0) await chmod(home, 0o755);
  repository = join(home, 'shop');
  await mkdir(join(repository, '.git'), { recursive: true });
  await mkdir(join(repository, '.cursor'));
});

afterAll(async () => {
  await cairnHere(['--data-dir', join(home, 'data'), 'db', 'stop']);
  await rm(home, { recursive: true, force: true });
});

describe('cairn doctor', () => {
  test('finds a new installation well, and says what is still to do', async () => {
    const { code, ok, checks } = await doctor();

    expect({ code, ok }).toEqual({ code: 0, ok: true });
    for (const name of ['runtime', 'data', 'engine', 'schema', 'log'])
      expect(checks[name]).toMatchObject({ status: 'ok' });
    expect(checks['project']).toMatchObject({ status: 'warning', remedy: expect.stringContaining('cairn init') });
    expect(checks['cursor']).toMatchObject({ status: 'warning', remedy: expect.stringContaining('--client cursor') });
  });

  test('fails for a project that is not there', async () => {
    await writeFile(join(repository, '.cairn.json'), '{ "project": "gone" }');

    const { code, checks } = await doctor();

    expect(code).toBe(1);
    expect(checks['project']).toMatchObject({ status: 'failed', detail: expect.stringContaining('.cairn.json') });
    await rm(join(repository, '.cairn.json'));
  });

  test.each([
    [
      'starts what is not there any more',
      JSON.stringify({ command: 'node', args: [join(tmpdir(), 'gone', 'cli.js')] }),
    ],
    ['cannot be read', '{ "command": '],
  ])('fails for a client whose file %s', async (_, entry) => {
    await writeFile(join(repository, '.cursor', 'mcp.json'), `{ "mcpServers": { "cairn": ${entry} } }`);

    const { code, checks } = await doctor();

    expect(code).toBe(1);
    expect(checks['cursor']).toMatchObject({ status: 'failed', remedy: expect.any(String) });
  });

  test('is content with a client that was told', async () => {
    const entry = { command: process.execPath, args: ['cli.js'] };
    await writeFile(join(repository, '.cursor', 'mcp.json'), JSON.stringify({ mcpServers: { cairn: entry } }));

    expect((await doctor()).checks['cursor']).toMatchObject({ status: 'ok' });
  });

  test('fails for a database that does not answer', async () => {
    const away = await doctor('--database-url', 'postgres://127.0.0.1:9/x');

    expect(away.code).toBe(1);
    expect(away.checks['engine']).toMatchObject({ status: 'failed', remedy: expect.stringContaining('DATABASE_URL') });
    expect(away.checks['log']).toBeUndefined();
  });
});
