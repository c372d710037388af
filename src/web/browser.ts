import type { Browser } from '../auth/server/views.ts';
import { browserSessionOf } from './browser-session.ts';
import { consentPage } from './pages/consent.ts';
import { messagePage } from './pages/message.ts';
import type { Web } from './web.ts';

/** Makes the pages' part that the authorization server calls. */
export function createBrowser(web: Web): Browser {
  return {
    session: (request, from) => browserSessionOf(web, request, from),
    consent: consentPage,
    problem: ({ status, title, message, hint }) => messagePage({ title, text: `${message} ${hint}`, status }),
  };
}
