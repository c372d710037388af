// Each peer in a folder of its own, so that none shares its dependencies with another one.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const INSTALL_MS_MAX = 300_000;

/** Installs a package unless it is there; answers with its folder and version. @param {string} cache @param {string} name */
export function install(cache, name) {
  const home = join(cache, name.replace(/[@/]/g, '_'));
  const folder = join(home, 'node_modules', name);
  if (!existsSync(join(folder, 'package.json'))) {
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, 'package.json'), '{"private":true}');
    const { status, stderr } = spawnSync('npm', ['install', '--no-audit', '--no-fund', name], {
      cwd: home,
      encoding: 'utf8',
      shell: process.platform === 'win32',
      timeout: INSTALL_MS_MAX,
    });
    if (status !== 0) throw new Error(`npm install ${name} failed: ${stderr?.split('\n').at(-2) ?? status}`);
  }
  return { home, folder, version: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version };
}
