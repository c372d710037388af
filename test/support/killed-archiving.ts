import type { BlobRef, NewBlob } from '../../src/blobs/store.ts';
import type { Context } from '../../src/context.ts';
import { archiveEvents } from '../../src/services/archive.ts';
import { directoryStore } from './blobs.ts';

/** Archives as if the process were killed at that step: nothing after it happens. */
export async function archiveUntil(
  ctx: Context,
  step: string,
  { folder, before }: { folder: string; before: string },
): Promise<void> {
  const store = directoryStore(folder);
  let writes = 0;
  const killed = () => Promise.reject(new Error('killed'));
  const broken = {
    ...store,
    write: (blob: NewBlob) => (step === `write ${++writes}` ? killed() : store.write(blob)),
    read: (ref: BlobRef) => (step === 'read 4' ? killed() : store.read(ref)),
  };
  const db: Context['db'] = {
    ...ctx.db,
    call: (fn, args, actor) => (fn === step ? killed() : ctx.db.call(fn, args, actor)),
  };
  for await (const _ of archiveEvents({ ...ctx, db }, { before, store: broken })) return;
}
