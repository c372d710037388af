import type { UnknownClient } from './documents.ts';
import type { ProblemView } from './views.ts';

/** The doctor recognizes the page by these phrases. */
export const PHRASES = Object.freeze({
  title: 'This program is not known here',
  off: 'this server fetches none',
  host: 'this server does not admit',
  unreachable: 'could not be fetched',
  document: 'that is not good',
});

const AGAIN = 'Remove the connection in the program and add it again: the program registers then.';
const SWITCHED_OFF =
  'switch documents off with --no-client-documents: then the program registers when you add it again';

/** Explains an unknown program to a person: the client it named, the fault, and the remedy. */
export function unknownClientPage(found: UnknownClient): ProblemView {
  return { status: 400, title: PHRASES.title, ...explanation(found) };
}

function explanation(found: UnknownClient): { message: string; hint: string } {
  switch (found.reason) {
    case 'unknown':
      return { message: 'It names itself by an id that this server does not have.', hint: AGAIN };
    case 'off':
      return { message: `It names itself by a document of ${found.host}, and ${PHRASES.off}.`, hint: AGAIN };
    case 'host':
      return {
        message: `It names itself by a document of ${found.host}, a host that ${PHRASES.host}.`,
        hint: `Whoever runs the server can admit it with --client-document-hosts, or ${SWITCHED_OFF}.`,
      };
    case 'unreachable':
      return {
        message: `${found.host} ${PHRASES.unreachable}: ${found.why}.`,
        hint: found.registers ? AGAIN : `Try again in a minute. Whoever runs the server can ${SWITCHED_OFF}.`,
      };
    case 'document':
      return {
        message: `It names itself by a document of ${found.host} ${PHRASES.document}: ${found.why}.`,
        hint: `Tell who makes the program. Until then, whoever runs the server can ${SWITCHED_OFF}.`,
      };
  }
}
