import type { Context } from '../../src/context.ts';
import { directoryStore } from '../../src/events/archive-store.ts';
import { archiveEvents } from '../../src/services/archive.ts';

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
    write: (name: string, bytes: Buffer) => (step === `write ${++writes}` ? killed() : store.write(name, bytes)),
    read: (name: string) => (step === 'read 4' ? killed() : store.read(name)),
  };
  const db: Context['db'] = {
    ...ctx.db,
    call: (fn, args, actor) => (fn === step ? killed() : ctx.db.call(fn, args, actor)),
  };
  for await (const _ of archiveEvents({ ...ctx, db }, { before, store: broken })) return;
}
