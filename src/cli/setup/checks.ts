import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type pg from 'pg';
import { findEntry } from '../../clients/client-entry.ts';
import { detectClients } from '../../clients/detect.ts';
import type { Config, Host } from '../../config.ts';
import { openEngine } from '../../db/open.ts';
import { pendingMigrations } from '../../db/schema/migrate.ts';
import { upgradeEmbedded } from '../../db/schema/upgrade.ts';
import { codeOf, DomainError, domainErrorFrom } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { findProjectFile } from '../../project-file.ts';
import { events as eventTools } from '../../tools/events.ts';
import { person } from '../../tools/person.ts';
import { projects as projectTools } from '../../tools/projects.ts';
import { inLocalContext, perform } from '../local-context.ts';

/** One line of `cairn doctor`. A check that is not ok names its remedy. */
export type Check = { name: string; status: 'ok' | 'warning' | 'failed'; detail: string; remedy?: string | undefined };

const NODE_MIN = [20, 20] as const;
const UNREACHABLE = 'Check DATABASE_URL, and that the server runs and lets you in.';
const FREE_BYTES_MIN = 1_000_000_000;
// Verifying more takes longer than a person looks at one screen.
const VERIFIED_EVENTS_MAX = 50_000;

export function checkRuntime(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const old = major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1]);
  const detail = `Node.js ${process.versions.node}, ${process.platform} ${process.arch}`;
  return old
    ? { name: 'runtime', status: 'failed', detail, remedy: `Install Node.js ${NODE_MIN.join('.')} or newer.` }
    : { name: 'runtime', status: 'ok', detail };
}

/** Checks the engine, the schema and the log, each only if the previous one is there. */
export async function checkDatabase(config: Config): Promise<Check[]> {
  if (config.supabaseUrl !== undefined) return [await checked('engine', () => reachSupabase(config))];
  const disk = config.databaseUrl === undefined ? [await checkDisk(config)] : [];
  const checks: Check[] = [];
  const engine = await checked('engine', () => lookInside(config, checks));
  if (engine.status === 'failed')
    checks.push(config.databaseUrl === undefined ? engine : { ...engine, remedy: UNREACHABLE });
  return [...disk, ...checks];
}

async function checkDisk({ dataDir }: Config): Promise<Check> {
  const { bavail, bsize } = await freeSpace(dataDir);
  const bytes = Number(bavail) * Number(bsize);
  const detail = `${dataDir}, ${(bytes / 1e9).toFixed(1)} GB free`;
  return bytes < FREE_BYTES_MIN
    ? { name: 'data', status: 'warning', detail, remedy: 'Free some space, or name another directory with --data-dir.' }
    : { name: 'data', status: 'ok', detail };
}

/** Returns the free space of the directory, or of its nearest existing parent. */
async function freeSpace(directory: string): ReturnType<typeof statfs> {
  return statfs(directory).catch((error) => {
    if (dirname(directory) === directory) throw error;
    return freeSpace(dirname(directory));
  });
}

async function lookInside(config: Config, checks: Check[]): Promise<string> {
  const open = await openEngine(config, createLog('silent'));
  try {
    const client = await open.connect();
    try {
      const { rows } = await client.query(`select current_setting('server_version') as version`);
      const kind = config.databaseUrl === undefined ? 'embedded PostgreSQL' : 'PostgreSQL';
      checks.push({ name: 'engine', status: 'ok', detail: `${kind} ${rows[0].version} answers` });
      checks.push(await checkSchema(config, client));
    } finally {
      await client.end();
    }
    if (checks.every(({ status }) => status !== 'failed')) checks.push(await checkLog(config));
    return '';
  } finally {
    await open.close();
  }
}

async function checkSchema({ databaseUrl, dataDir }: Config, client: pg.Client): Promise<Check> {
  return checked('schema', async () => {
    // The embedded database is brought up to date whenever it is opened.
    if (databaseUrl === undefined) await upgradeEmbedded(client, dataDir, createLog('silent'));
    const pending = await pendingMigrations(client);
    if (pending.length === 0) return 'up to date';
    throw new DomainError('unavailable', `${pending.length} migrations are missing`, {
      hint: 'Run `cairn migrate` as a role that owns the schema.',
    });
  });
}

async function checkLog(config: Config): Promise<Check> {
  return checked('log', () =>
    inLocalContext(config, async (ctx) => {
      const { position } = await perform({ ...ctx, project: undefined }, eventTools.commands.list_events, {
        page_size: 1,
      });
      if (position > VERIFIED_EVENTS_MAX) return `${position} events; \`cairn events verify\` checks them`;
      const { ok, events, difference } = await perform(ctx, person.verify_events, {});
      if (ok) return `${events} ${events === 1 ? 'event' : 'events'}, the chain is whole, the read model agrees`;
      throw new DomainError('internal', `it does not agree: ${JSON.stringify(difference).slice(0, 200)}`, {
        hint: 'Run `cairn events verify` to see it whole. If the chain is whole, `cairn events replay` repairs the rest.',
      });
    }),
  );
}

function reachSupabase(config: Config): Promise<string> {
  return inLocalContext(config, async (ctx) => {
    await perform(ctx, projectTools.commands.list_projects, { page_size: 1 });
    return `Supabase, ${new URL(config.supabaseUrl ?? '').host}, answers`;
  });
}

/** Checks that the configured project exists. */
export async function checkProject(config: Config): Promise<Check> {
  const bound = findProjectFile(process.cwd());
  const { project } = config;
  if (project === undefined) {
    return {
      name: 'project',
      status: 'warning',
      detail: 'none is bound here',
      remedy: 'Run `cairn init` in the repository.',
    };
  }
  const from = bound?.project === project ? `, from ${bound.file}` : '';
  const check = await checked('project', () =>
    inLocalContext(
      config,
      async (ctx) => `${(await perform(ctx, projectTools.commands.get_project, {})).project.slug}${from}`,
    ),
  );
  return check.status === 'ok'
    ? check
    : { ...check, detail: `${check.detail}${from}`, remedy: 'Run `cairn init` here, which makes it.' };
}

/** Checks each client that is used on this machine. */
export async function checkClients(host: Host, repository: string | null): Promise<Check[]> {
  const clients = await detectClients(host, repository);
  if (clients.length === 0) {
    return [
      {
        name: 'clients',
        status: 'warning',
        detail: 'none was found',
        remedy: '`cairn init --help` lists those it knows.',
      },
    ];
  }
  return Promise.all(
    clients.map(async (client): Promise<Check> => {
      const name = client.id;
      const remedy = `Run \`cairn init --client ${client.id}\`.`;
      const entry = await findEntry(client, host, repository);
      if (entry === null) return { name, status: 'warning', detail: 'found, without an entry for Cairn', remedy };
      return entry.fault === undefined
        ? { name, status: 'ok', detail: entry.file }
        : { name, status: 'failed', detail: `${entry.file}: ${entry.fault}`, remedy };
    }),
  );
}

async function checked(name: string, look: () => Promise<string>): Promise<Check> {
  try {
    return { name, status: 'ok', detail: await look() };
  } catch (error) {
    const { message, hint, cause } = domainErrorFrom(error);
    const code = codeOf(cause);
    const detail = code === '' ? message : `${message} (${code})`;
    return { name, status: 'failed', detail, remedy: hint ?? undefined };
  }
}
