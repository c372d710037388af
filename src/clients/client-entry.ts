import { access } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { readBounded } from '../bounded-read.ts';
import type { Host } from '../config.ts';
import { messageOf } from '../errors.ts';
import { recordOf } from '../records.ts';
import { escaped } from '../text.ts';
import type { Client } from './catalog.ts';
import { FILE_BYTES_MAX } from './changes.ts';
import { readJson } from './json.ts';
import { serverFile } from './plan.ts';
import { readToml } from './toml.ts';

/** A client's entry for Cairn: its file, and its fault if any. */
export type ClientEntry = { file: string; fault?: string };

type ServerEntry = { command?: unknown; args?: unknown; url?: unknown };

/** Finds the client's entry for Cairn, the repository's file first; null if there is none. */
export async function findEntry(client: Client, host: Host, repository: string | null): Promise<ClientEntry | null> {
  const files = (['project', 'user'] as const).map((scope) => serverFile(client, { scope, repository }, host));
  for (const file of new Set(files)) {
    const found = await readEntry(client, file);
    if (found !== null) return found;
  }
  return null;
}

async function readEntry({ format, key }: Client, file: string): Promise<ClientEntry | null> {
  try {
    const content = readBounded(file, FILE_BYTES_MAX);
    if (content === null) return null;
    const text = content.replace(/^\uFEFF/, '');
    const servers = recordOf((format === 'toml' ? readToml(text) : readJson(text))[key]);
    if (servers['cairn'] === undefined) return null;
    const missing = await firstMissing(recordOf(servers['cairn']));
    return missing === null ? { file } : { file, fault: `it starts ${escaped(missing)}, which is not there` };
  } catch (error) {
    return { file, fault: `it cannot be read: ${escaped(messageOf(error))}` };
  }
}

/** Returns the program or script that the entry names by its path and that no longer exists. */
async function firstMissing({ command, args }: ServerEntry): Promise<string | null> {
  const [script] = Array.isArray(args) ? args : [];
  for (const path of [command, script]) {
    // Windows would sign in to any host that such a path names.
    if (typeof path !== 'string' || !isAbsolute(path) || /^[\\/]{2}/.test(path)) continue;
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (!there) return path;
  }
  return null;
}
