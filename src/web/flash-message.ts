import { derive, sameHash } from '../auth/secrets.ts';
import type { BrowserSession } from './browser-session.ts';
import { redirect } from './page.ts';
import type { Web } from './web.ts';

/** A form's result, which the next page shows once; `token` and `link` are secrets that are never shown again. */
export type FlashMessage = { notice?: string; token?: string; link?: string };

/**
 * Redirects to a page after a form. The message for it waits in a cookie that only this session's browser can have
 * made.
 */
export function goOn(
  { cookies }: Web,
  browserSession: BrowserSession,
  { to, ...message }: FlashMessage & { to: string },
): Response {
  const encoded = Buffer.from(JSON.stringify(message)).toString('base64url');
  return redirect(to, [cookies.write('outcome', `${encoded}.${proofOf(browserSession, encoded)}`)]);
}

/** Shows a page with its message, and deletes the message. */
export async function flashOnce(
  { cookies }: Web,
  browserSession: BrowserSession,
  show: (message: FlashMessage) => Promise<Response>,
): Promise<Response> {
  const kept = cookies.outcome(browserSession.request);
  if (kept === undefined) return show({});
  const [encoded = '', proof = ''] = kept.split('.', 2);
  const isOurs = sameHash(proof, proofOf(browserSession, encoded));
  const response = await show(isOurs ? JSON.parse(Buffer.from(encoded, 'base64url').toString()) : {});
  response.headers.append('set-cookie', cookies.erase('outcome'));
  return response;
}

function proofOf({ txn, sid }: BrowserSession, encoded: string): string {
  return derive(txn, `outcome ${sid ?? ''} ${encoded}`);
}
