import { derive, sameHash } from '../auth/secrets.ts';
import type { BrowserSession } from './browser-session.ts';
import { redirect } from './page.ts';
import type { Web } from './web.ts';

/** What a form did, for the page that follows to tell once; `token` and `link` are secrets that are shown then and never again. */
export type FlashMessage = { notice?: string; token?: string; link?: string };

/** Goes on to a page after a form. What is to be told there waits in a cookie that only this session's browser can have made. */
export function goOn(
  { cookies }: Web,
  visit: BrowserSession,
  { to, ...outcome }: FlashMessage & { to: string },
): Response {
  const told = Buffer.from(JSON.stringify(outcome)).toString('base64url');
  return redirect(to, [cookies.write('outcome', `${told}.${proofOf(visit, told)}`)]);
}

/** Shows a page with what is to be told, and forgets it. */
export async function flashOnce(
  { cookies }: Web,
  visit: BrowserSession,
  show: (outcome: FlashMessage) => Promise<Response>,
): Promise<Response> {
  const kept = cookies.outcome(visit.request);
  if (kept === undefined) return show({});
  const [told = '', proof = ''] = kept.split('.', 2);
  const isOurs = sameHash(proof, proofOf(visit, told));
  const response = await show(isOurs ? JSON.parse(Buffer.from(told, 'base64url').toString()) : {});
  response.headers.append('set-cookie', cookies.erase('outcome'));
  return response;
}

function proofOf({ txn, sid }: BrowserSession, told: string): string {
  return derive(txn, `outcome ${sid ?? ''} ${told}`);
}
