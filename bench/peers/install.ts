// Each peer in a folder of its own, so that none shares its dependencies with another one.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const INSTALL_MS_MAX = 300_000;

type Installed = { folder: string; version: string; runtime: string | undefined };

/** Installs a package unless it is there; answers with its folder and version, and the program of another runtime. */
export function install(cache: string, name: string, runtime?: 'bun'): Installed {
  const home = join(cache, name.replace(/[@/]/g, '_'));
  const folder = join(home, 'node_modules', name);
  if (!existsSync(join(folder, 'package.json'))) {
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, 'package.json'), '{"private":true}');
    run(home, 'npm', ['install', '--no-audit', '--no-fund', name, ...(runtime === undefined ? [] : [runtime])]);
    // npm holds the script back that puts the program in its place.
    if (runtime !== undefined) run(home, 'node', [join('node_modules', runtime, 'install.js')]);
  }
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  return { folder, version, runtime: runtime && join(home, 'node_modules', runtime, 'bin', `${runtime}.exe`) };
}

function run(cwd: string, program: string, args: string[]): void {
  const shell = process.platform === 'win32';
  const { status, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8', shell, timeout: INSTALL_MS_MAX });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${stderr?.split('\n').at(-2) ?? status}`);
}
