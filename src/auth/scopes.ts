import { mayUse, type Scope } from '../context.ts';
import { SCOPES } from '../tools/catalog.ts';
import type { LiveToken } from './answers.ts';

/** Lets its token drive the one agent that it names. */
export const RUNNER_SCOPE = 'agents:run';

/** Lets its token report over OTLP. No tool needs it. */
export const REPORTING_SCOPE = 'otel:write';

/**
 * The scopes for a program that requests none; the challenge and the resource metadata name them too. Only who asks for
 * it by name sends commands to agents, works as one, reports what programs do, or administers.
 */
export const BASELINE: readonly Scope[] = Object.freeze(
  SCOPES.filter((scope) => /:(read|write)$/.test(scope) && scope !== REPORTING_SCOPE),
);

/**
 * Lists the scopes that a program may ask for: no person names an agent on the consent page, so only a personal token
 * drives one.
 */
export function askableScopes({ allowAdmin }: { allowAdmin: boolean }): Scope[] {
  return SCOPES.filter((scope) => scope !== RUNNER_SCOPE && (scope !== 'admin' || allowAdmin));
}

/**
 * Returns the scopes that a request may be granted: those it names and the reads they include, so that a person can
 * grant only reading, in our order; otherwise the baseline. Ignores unknown names (RFC 6749, section 3.3): the answer
 * says what was granted.
 */
export function requestedScopes(asked: string | undefined, { allowAdmin }: { allowAdmin: boolean }): Scope[] {
  const named = new Set<Scope>(SCOPES.filter((scope) => asked?.split(' ').includes(scope)));
  const known = askableScopes({ allowAdmin }).filter((scope) => mayUse(named, scope));
  return known.length === 0 ? [...BASELINE] : known;
}

/** Returns the scopes of a token now: `admin` only while its user is one. */
export function liveScopes({ scope, role }: Pick<LiveToken, 'scope' | 'role'>): ReadonlySet<Scope> {
  const granted = new Set(scope.split(' '));
  const isAdmin = role === 'owner' || role === 'admin';
  return new Set(SCOPES.filter((name) => granted.has(name) && (name !== 'admin' || isAdmin)));
}

/** Returns the scopes that do not depend on the user's role: the database enforces the others. */
export function lastingScopes({ scope }: Pick<LiveToken, 'scope'>): ReadonlySet<Scope> {
  return liveScopes({ scope, role: 'member' });
}
