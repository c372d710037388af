import { join, resolve } from 'node:path';
import * as z from 'zod';
import { blobStores, isBucket, isSupabaseBucket } from '../../blobs/open.ts';
import type { Config } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { archiveEvents } from '../../services/archive.ts';
import { inLocalContext, parseGiven, type WorkspaceOption } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { type JsonOption, printRemark, printResult } from '../terminal/output.ts';

const Given = z.object({
  before: z.union([z.iso.date(), z.iso.datetime({ offset: true })]).transform((text) => new Date(text).toISOString()),
});

export type ArchiveOptions = JsonOption & WorkspaceOption & { before: string; to?: string; oneMachine?: true };

/** `cairn events archive --before DATE`: moves older events to files. Repeating it after an interruption resumes. */
export async function runArchive(config: Config, options: ArchiveOptions): Promise<void> {
  const { before } = parseGiven(Given, { before: options.before });
  const store = await blobStores(config)(locationFor(config, options));
  await inLocalContext(
    config,
    async (ctx) => {
      const files: string[] = [];
      let events = 0;
      for await (const part of archiveEvents(ctx, { before, store })) {
        events += part.events;
        files.push(part.file);
        printRemark(
          `Archived events ${part.first_seq} to ${part.last_seq}: ${part.file} in ${store.location}`,
          options,
        );
      }
      printResult({ before, events, location: store.location, files }, options, () => [
        events === 0
          ? `No event is older than ${before}.`
          : `Archived ${events} events. Keep the files: they are part of the log.`,
      ]);
    },
    options,
  );
}

/** Finds a place that every server of the database can read; refuses others before the database is opened. */
export function locationFor(
  config: Config,
  { to, oneMachine }: { to?: string | undefined; oneMachine?: true | undefined },
): string {
  if (to !== undefined && isBucket(to)) {
    if (!isSupabaseBucket(to) || config.supabaseUrl !== undefined) return to;
    throw new DomainError(
      'invalid_input',
      `${to} is a bucket of a Supabase project, but the database is not on Supabase.`,
      {
        hint: 'Set SUPABASE_URL and SUPABASE_SECRET_KEY, or name a directory or s3:BUCKET with --to.',
      },
    );
  }
  const embedded = config.databaseUrl === undefined && config.supabaseUrl === undefined;
  if (!embedded && !oneMachine) {
    const buckets = config.supabaseUrl === undefined ? 's3:BUCKET' : 'supabase:BUCKET or s3:BUCKET';
    throw new DomainError('forbidden', 'Other machines that serve this database could not read the files.', {
      hint: `Name a private bucket with --to ${buckets}. Where one machine alone serves it, say so with --one-machine. Otherwise leave the events in the database.`,
    });
  }
  if (!embedded && to === undefined) {
    throw mistyped('There is no directory to archive to.', 'Name one with --to.');
  }
  return resolve(to ?? join(config.dataDir, 'archive'));
}
