import type { Host } from '../config.ts';
import { pathOf } from './catalog.ts';
import type { Edit } from './edits.ts';
import type { Wanted } from './wanted.ts';

// Seconds; a hook needs a fraction of one. Gemini CLI counts milliseconds.
const TIMEOUT = 5;
// The hook that waits is ended by what comes after it.
const WAIT_TIMEOUT = 86_400;
// Cursor goes on so often; our own count is the same.
const LOOP_LIMIT = 7;

type Line = (event: string) => string;

/** A client that runs hooks: where it reads them, and what stands there. */
type HookHost = {
  id: string;
  file(wanted: Wanted, host: Host): string;
  entries(line: Line): Record<string, object>;
  version?: number;
  /** What a person has to do so that they run. */
  trust?: string;
};

const group = (...hooks: object[]) => ({ hooks });
const command = (line: string, more: object = {}) => ({ type: 'command', command: line, timeout: TIMEOUT, ...more });

/**
 * The files are the user's own, because the commands name paths of this machine: in a repository only Claude Code has
 * one that is not committed. Hooks do nothing in a directory that is bound to no project.
 */
export const HOOK_HOSTS: readonly HookHost[] = [
  {
    id: 'claude-code',
    file: ({ scope, repository }, host) => {
      const { join } = pathOf(host);
      if (scope === 'project' && repository !== null) return join(repository, '.claude', 'settings.local.json');
      return join(host.env['CLAUDE_CONFIG_DIR'] || join(host.home, '.claude'), 'settings.json');
    },
    entries: (line) => ({
      SessionStart: group(command(line('session-start'))),
      PostToolBatch: group(command(line('after-tools'))),
      PreCompact: group(command(line('pre-compact'))),
      Stop: group(command(line('stop')), command(line('wait'), { asyncRewake: true, timeout: WAIT_TIMEOUT })),
    }),
  },
  {
    id: 'codex',
    file: (_, host) => {
      const { join } = pathOf(host);
      return join(host.env['CODEX_HOME'] || join(host.home, '.codex'), 'hooks.json');
    },
    entries: (line) => ({
      SessionStart: group(command(line('session-start'))),
      PostToolUse: group(command(line('after-tools'))),
      Stop: group(command(line('stop'))),
    }),
    trust: 'Codex never runs a hook that you have not trusted, and does not say so: open /hooks in it',
  },
  {
    id: 'gemini',
    file: (_, host) => pathOf(host).join(host.home, '.gemini', 'settings.json'),
    entries: (line) => {
      const ours = (event: string) => group(command(line(event), { name: `cairn-${event}`, timeout: TIMEOUT * 1_000 }));
      return { SessionStart: ours('session-start'), AfterTool: ours('after-tools'), AfterAgent: ours('stop') };
    },
  },
  {
    id: 'cursor',
    file: (_, host) => pathOf(host).join(host.home, '.cursor', 'hooks.json'),
    entries: (line) => ({
      sessionStart: { command: line('session-start') },
      postToolUse: { command: line('after-tools') },
      stop: { command: line('stop'), loop_limit: LOOP_LIMIT },
    }),
    version: 1,
    trust: 'restart Cursor; its settings list them under Hooks',
  },
];

/** Returns the edits for the hooks of the wanted clients. */
export function hookEdits(wanted: Wanted, host: Host): [file: string, edit: Edit][] {
  return hostsOf(wanted).map((one) => {
    const entries = one.entries((event) => wanted.hook(event, one.id));
    return [
      one.file(wanted, host),
      { kind: 'hooks', client: one.id, entries, ...(one.version && { version: one.version }) },
    ];
  });
}

/** What a person has to do so that the hooks run, a sentence for each client that asks for it. */
export function trustLines(wanted: Wanted): string[] {
  return wanted.hooks ? hostsOf(wanted).flatMap(({ trust }) => trust ?? []) : [];
}

function hostsOf({ clients }: Wanted): HookHost[] {
  return HOOK_HOSTS.filter(({ id }) => clients.some((client) => client.id === id));
}
