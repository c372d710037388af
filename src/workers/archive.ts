import * as z from 'zod';
import { archiveEvents } from '../services/archive.ts';
import type { JobKind } from './job.ts';

const DAY_MS = 86_400_000;

/** `to` is a place for files, `days` the age from which events go there. */
const Settings = z.object({ to: z.string().min(1).max(1_000), days: z.int().min(1).max(36_500).default(365) });

/** Moves old events of a workspace to files, where the workspace asked for it. A run that was ended goes on later. */
export const archive: JobKind = {
  kind: 'archive',
  scope: 'workspace',
  everySeconds: 86_400,
  maxSeconds: 43_200,
  needs: 'machine',
  async run({ db, blobs, log }, { actor, settings, signal }) {
    const { to, days } = Settings.parse(settings);
    const before = new Date(Date.now() - days * DAY_MS).toISOString();
    const store = await blobs(to);
    for await (const part of archiveEvents({ db, blobs, log, actor, scopes: 'all' }, { before, store })) {
      log.info({ workspace: actor.tenant_id, events: part.events, file: part.file }, 'archived events');
      signal.throwIfAborted();
    }
  },
};
