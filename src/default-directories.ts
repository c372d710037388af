import { homedir } from 'node:os';
import { join } from 'node:path';

/** Returns the default directory of the embedded database. */
export function defaultDataDir(env: NodeJS.ProcessEnv): string {
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'cairn');
  if (process.platform === 'win32') return join(env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'), 'cairn');
  if (env['XDG_DATA_HOME']) return join(env['XDG_DATA_HOME'], 'cairn');
  // PostgreSQL refuses to run as root, and its substitute user may not enter root's home.
  if (process.getuid?.() === 0) return '/var/lib/cairn';
  return join(homedir(), '.local', 'share', 'cairn');
}

/** Returns the directory for the user's data apart from the database. */
export function defaultConfigDir(env: NodeJS.ProcessEnv): string {
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Preferences', 'cairn');
  if (process.platform === 'win32') return join(env['APPDATA'] ?? join(homedir(), 'AppData', 'Roaming'), 'cairn');
  return join(env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'cairn');
}
