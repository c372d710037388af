import { join, resolve } from 'node:path';
import * as z from 'zod';
import type { Config } from '../config.ts';
import { DomainError } from '../errors.ts';
import { directoryStore } from '../events/archive-store.ts';
import { archiveEvents } from '../services/archive.ts';
import { say } from './paint.ts';
import { asPerson, parseGiven } from './person.ts';

const Given = z.object({
  before: z.union([z.iso.date(), z.iso.datetime({ offset: true })]).transform((text) => new Date(text).toISOString()),
});

export type ArchiveOptions = { before: string; to?: string; oneMachine?: true };

/** `cairn events archive --before DATE`: moves what is older to files. Repeated after an interruption it goes on. */
export async function runArchive(config: Config, { to, oneMachine, ...given }: ArchiveOptions): Promise<void> {
  const { before } = parseGiven(Given, given);
  const embedded = config.databaseUrl === undefined && config.supabaseUrl === undefined;
  if (!embedded && !oneMachine) {
    throw new DomainError('forbidden', 'Other machines that serve this database could not read the files.', {
      hint: 'Where one machine alone serves it, say so with --one-machine. Otherwise leave the events in the database.',
    });
  }
  if (!embedded && to === undefined) {
    throw new DomainError('invalid_input', 'There is no directory to archive to.', { hint: 'Name one with --to.' });
  }
  const store = directoryStore(resolve(to ?? join(config.dataDir, 'archive')));
  await asPerson(config, async (ctx) => {
    let events = 0;
    for await (const part of archiveEvents(ctx, { before, store })) {
      events += part.events;
      say(`Archived events ${part.first_seq} to ${part.last_seq}: ${join(store.location, part.file)}`);
    }
    say(
      events === 0
        ? `No event is older than ${before}.`
        : `Archived ${events} events. Keep the files: they are part of the log.`,
    );
  });
}
