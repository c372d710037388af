import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanLine, firstOf } from '../../text.ts';
import { HOOK_CLIENTS, type HookClient } from './dialects.ts';

const WHY_CHARACTERS_MAX = 300;
const SHOWN_MS = 86_400_000;

type GaveUp = { client: HookClient; agent: string; event: string; why: string; at: string };

/** Leaves why a hook gave up, the last of each client: the hook itself tells nobody, and never fails. */
export function noteGaveUp(dataDir: string, { why, ...hook }: Omit<GaveUp, 'at'>): void {
  const note: GaveUp = { ...hook, why: firstOf(cleanLine(why), WHY_CHARACTERS_MAX), at: new Date().toISOString() };
  try {
    mkdirSync(join(dataDir, 'hooks'), { recursive: true, mode: 0o700 });
    // Its process is about to end: it waits for nothing, and whoever reads half of a note reads none.
    writeFileSync(fileOf(dataDir, hook.client), JSON.stringify(note), { mode: 0o600 });
  } catch {
    // Then nobody is told.
  }
}

/** Reads which hooks gave up within a day. */
export function readGaveUp(dataDir: string): GaveUp[] {
  return HOOK_CLIENTS.flatMap((client) => {
    try {
      const note: GaveUp = JSON.parse(readFileSync(fileOf(dataDir, client), 'utf8'));
      return Date.now() - Date.parse(note.at) < SHOWN_MS ? [note] : [];
    } catch {
      return [];
    }
  });
}

function fileOf(dataDir: string, client: HookClient): string {
  return join(dataDir, 'hooks', `${client}.gave-up`);
}
