import { DomainError, domainErrorFrom } from '../../errors.ts';

export type Refusal = {
  error: DomainError;
  /** Nothing of the call happened, so it may be repeated. */
  undone: boolean;
  /** The user's access token was too old. */
  expired: boolean;
};

/**
 * The body of a failed request: from PostgREST (https://docs.postgrest.org/en/v14/references/errors.html) or a proxy
 * before it.
 */
type Body = { code?: string; message: string; details?: string | null; hint?: string | null };

// Rolled back: serialization failure, deadlock. Never begun: PostgREST without a connection or still reading the
// schema.
const UNDONE = new Set(['40001', '40P01', 'PGRST000', 'PGRST001', 'PGRST002', 'PGRST003']);
const UNSENT = /\((ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)\)/;
// `invalid JWT`, whose reason is the message, and since version 13 `claims not valid`.
const TOKEN = new Set(['PGRST301', 'PGRST302', 'PGRST303']);
const SCHEMA = new Set(['PGRST106', 'PGRST202', 'PGRST203']);
// Signed-in users may not call every function.
const NOT_GRANTED = '42501';
const SQLSTATE = /^(?!PGRST)[0-9A-Z]{5}$/;

const LOG_IN = 'Run `cairn login`, then repeat the call.';
const REPEAT = 'Repeat the call with the same idempotency_key.';

/** Translates a failed request into the words of the other engines. Status 0: there was no answer. */
export function failureOf(body: Body, status: number): Refusal {
  const code = body.code ?? '';
  return {
    error: code === NOT_GRANTED ? notGranted(status) : SQLSTATE.test(code) ? raised(body) : refused(body, status),
    undone: UNDONE.has(code) || TOKEN.has(code) || (status === 0 && UNSENT.test(body.details ?? '')),
    expired: TOKEN.has(code) && /expired/i.test(body.message),
  };
}

/** Explains a missing grant: PostgREST tells an anonymous caller (401) from a signed-in one (403). */
function notGranted(status: number): DomainError {
  if (status === 401) return new DomainError('unauthenticated', 'Nobody is signed in.', { hint: LOG_IN });
  return new DomainError('forbidden', 'Only the server of this workspace may do that.', {
    hint: 'Run it where SUPABASE_SECRET_KEY or DATABASE_URL is set.',
  });
}

/** Reads the error that PostgreSQL raised; PostgREST calls DETAIL `details`. */
function raised({ code, message, details, hint }: Body): DomainError {
  return domainErrorFrom(
    Object.assign(new Error(message), { code, detail: details ?? undefined, hint: hint ?? undefined }),
  );
}

function refused(body: Body, status: number): DomainError {
  const cause = Object.assign(new Error(body.message), { status, ...body });
  const code = body.code ?? '';
  if (SCHEMA.has(code)) {
    return new DomainError('unavailable', 'The Supabase project does not have the schema of this cairn.', {
      hint: 'Run `cairn migrate` with its connection string as DATABASE_URL, or `supabase db push`.',
      retryable: false,
      cause,
    });
  }
  if (TOKEN.has(code)) return new DomainError('unauthenticated', 'Your session is not valid.', { hint: LOG_IN, cause });
  if (status === 401 || status === 403) {
    const hint = 'Check SUPABASE_PUBLISHABLE_KEY or SUPABASE_SECRET_KEY against the keys of the project.';
    return new DomainError('unauthenticated', 'The Supabase project refuses the key.', { hint, cause });
  }
  if (status === 413) {
    const hint = 'Send less at once.';
    return new DomainError('payload_too_large', 'The Supabase project refuses a request of this size.', {
      hint,
      cause,
    });
  }
  if (status === 429) {
    const hint = 'Wait a moment, then repeat the call.';
    return new DomainError('rate_limited', 'The Supabase project limits the rate of calls.', { hint, cause });
  }
  if (status === 0 || status === 404 || status === 408 || status >= 500) {
    const hint = status === 404 ? 'Check SUPABASE_URL, and that the project is not paused.' : REPEAT;
    return new DomainError('unavailable', 'The database is not available.', { hint, retryable: status !== 404, cause });
  }
  return domainErrorFrom(cause);
}
