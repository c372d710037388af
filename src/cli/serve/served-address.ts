import { authStore } from '../../auth/store.ts';
import { type Config, choosesAddress, publicUrlOf } from '../../config.ts';
import type { Database } from '../../db/database.ts';

/**
 * Returns the address for a token or a link: the chosen one, otherwise the one that `cairn serve --auth` left in the
 * database. Warns on standard error if nobody serves it.
 */
export async function servedAddress(config: Config, db: Database): Promise<URL> {
  const { served } = await authStore(db).listServedUrls();
  const [newest] = served;
  if (newest !== undefined && !choosesAddress(config)) return new URL(newest.public_url);
  const url = publicUrlOf(config);
  if (newest === undefined) {
    warn(
      `No server with --auth has served this database yet. This is for ${url.origin}: serve it there, or say --public-url.`,
    );
  } else if (!served.some(({ public_url }) => public_url === url.origin)) {
    warn(
      `This is for ${url.origin}, but this database is served at ${newest.public_url}. Leave out the address, or serve it there.`,
    );
  }
  return url;
}

function warn(message: string): void {
  process.stderr.write(`cairn: ${message}\n`);
}
