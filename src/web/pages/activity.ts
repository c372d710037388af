import type { AuthEvent } from '../../services/access.ts';
import { type Html, html, name } from '../html.ts';

type Words = (event: AuthEvent) => Html;

const client = ({ client: called }: AuthEvent) => (called === undefined ? html`A program` : name(called, 80));
const somebody = ({ user }: AuthEvent) => (user === undefined ? html`Somebody` : name(user));
const theToken = ({ client: called }: AuthEvent) => (called === undefined ? '' : html` ${name(called, 80)}`);

const WORDS: Readonly<Record<string, Words>> = Object.freeze({
  'agents.limited': (event) =>
    html`${somebody(event)} let runners drive ${String(event.data?.['agents_max'])} agents at once`,
  'agents.resumed': (event) => html`${somebody(event)} let all agents go on`,
  'agents.stopped': (event) => html`${somebody(event)} stopped all agents`,
  'authorization.refused': (event) => html`${client(event)} asked for access in a way that is not allowed`,
  'client.blocked': (event) => html`${somebody(event)} blocked ${client(event)}`,
  'client.registered': (event) => html`${client(event)} registered`,
  'client.removed': (event) => html`${somebody(event)} removed a program`,
  'client.saved': (event) => html`${somebody(event)} added ${client(event)}`,
  'client.secret_rotated': (event) => html`${somebody(event)} gave ${client(event)} a new secret`,
  'client.unblocked': (event) => html`${somebody(event)} admitted ${client(event)} again`,
  'code.refused': (event) => html`${client(event)} was refused when it signed in`,
  'code.reused': (event) => html`A code of ${client(event)} came a second time: its access ended`,
  'consent.refused': (event) => html`${client(event)} was not let in`,
  'grant.created': (event) => html`${somebody(event)} let ${client(event)} in`,
  'grant.denied': (event) => html`${somebody(event)} turned ${client(event)} away`,
  'grant.revoked': (event) => html`The access of ${client(event)} ended`,
  'invitation.accepted': (event) => html`${somebody(event)} accepted an invitation`,
  'invitation.created': (event) => html`${somebody(event)} invited somebody`,
  'invitation.refused': () => html`An invitation was refused`,
  'invitation.revoked': () => html`An invitation was withdrawn`,
  'login.refused': () => html`Somebody failed to sign in`,
  'member.changed': () => html`A member has another role`,
  'member.removed': () => html`A member was removed`,
  'output.searched': (event) => html`${somebody(event)} let search find what agents print`,
  'output.unsearched': (event) => html`${somebody(event)} took what agents print out of search`,
  'password.set': (event) => html`${somebody(event)} set a password`,
  'pat.created': (event) => html`${somebody(event)} made the token${theToken(event)}`,
  'pat.revoked': (event) => html`The token${theToken(event)} was ended`,
  'refresh.refused': (event) => html`${client(event)} was refused when it renewed its access`,
  'refresh.reused': (event) =>
    event.data?.['why'] === 'stolen'
      ? html`A token of ${client(event)} that was used elsewhere came back: its access ended`
      : html`${client(event)} came with a token that was used before, and was refused`,
  'session.ended': (event) => html`${somebody(event)} signed out`,
  'session.started': (event) => html`${somebody(event)} signed in`,
  'token.issued': (event) => html`${client(event)} signed in`,
  'token.refreshed': (event) => html`${client(event)} renewed its access`,
  'token.refused': (event) => html`A token${theToken(event)} was refused`,
});

/** Describes an event in a sentence with names. */
export function activity(event: AuthEvent): Html {
  const words = Object.hasOwn(WORDS, event.type) ? WORDS[event.type] : undefined;
  return words?.(event) ?? html`${event.type.replace(/[._]/g, ' ')}`;
}
