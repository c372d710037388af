// Where Claude Code reports to by its own settings, whose variables outrank those of its environment.
// Source: https://code.claude.com/docs/en/settings
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import * as z from 'zod';

const Settings = z.object({ env: z.record(z.string(), z.unknown()) });

const MANAGED: Readonly<Partial<Record<NodeJS.Platform, string>>> = Object.freeze({
  darwin: '/Library/Application Support/ClaudeCode',
  win32: 'C:\\Program Files\\ClaudeCode',
});

/** The names of the variables that its settings give it where it works in this folder. */
export function variablesOfClaude(cwd: string, env: NodeJS.ProcessEnv): string[] {
  const own = env['CLAUDE_CONFIG_DIR'] || join(env['HOME'] || homedir(), '.claude');
  return [
    join(MANAGED[process.platform] ?? '/etc/claude-code', 'managed-settings.json'),
    join(own, 'settings.json'),
    join(cwd, '.claude', 'settings.json'),
    join(cwd, '.claude', 'settings.local.json'),
  ].flatMap(variablesIn);
}

function variablesIn(file: string): string[] {
  try {
    return Object.keys(Settings.parse(JSON.parse(readFileSync(file, 'utf8'))).env);
  } catch {
    // It is not there, or gives none.
    return [];
  }
}
