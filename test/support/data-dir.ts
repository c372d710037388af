import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { access, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { cairn } from './cairn.ts';

/**
 * Puts a migrated database into a data directory that is empty or not there yet: a copy costs a tenth of what the first
 * start of the program does. Suites about that start do without.
 */
export async function seedDataDir(dataDir: string): Promise<void> {
  // The copy keeps the owner of each file.
  if (process.platform === 'win32') return;
  await promisify(execFile)('cp', ['-a', `${await template()}/.`, dataDir]);
}

/** The database that is copied; the first who needs it makes it for the whole run. */
async function template(): Promise<string> {
  const made = join(inject('scratch'), 'template');
  if (existsSync(made)) return made;
  const draft = join(inject('scratch'), `draft-${process.pid}`);
  const flags = ['--data-dir', draft];
  const { code, stderr } = await cairn(['migrate', ...flags]);
  if (code !== 0) throw new Error(stderr);
  await cairn(['db', 'stop', ...flags]);
  // Several processes may have made one: any will do.
  await rename(draft, made).catch(() => access(made));
  return made;
}
