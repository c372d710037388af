/**
 * The closed table of error codes, shared with `app.fail` in SQL. `status` is both the HTTP status and the `nnn` of
 * SQLSTATE `PTnnn`.
 */
export const ERROR_CODES = Object.freeze({
  invalid_input: { status: 400, retryable: false },
  unauthenticated: { status: 401, retryable: false },
  insufficient_scope: { status: 403, retryable: false },
  forbidden: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  already_exists: { status: 409, retryable: false },
  illegal_transition: { status: 409, retryable: false },
  version_conflict: { status: 409, retryable: true },
  lock_held: { status: 409, retryable: true },
  lock_lost: { status: 409, retryable: false },
  dependency_cycle: { status: 409, retryable: false },
  gate_unmet: { status: 409, retryable: false },
  scope_violation: { status: 409, retryable: false },
  idempotency_mismatch: { status: 409, retryable: false },
  payload_too_large: { status: 413, retryable: false },
  rate_limited: { status: 429, retryable: true },
  unavailable: { status: 503, retryable: true },
  internal: { status: 500, retryable: false },
} as const);

export type ErrorCode = keyof typeof ERROR_CODES;

type DomainErrorOptions = {
  hint?: string | undefined;
  details?: Record<string, unknown> | undefined;
  /** Overrides the table for a failure known to be different, e.g. a server that will never start. */
  retryable?: boolean | undefined;
  /** A person's input makes no sense. */
  mistyped?: boolean | undefined;
  cause?: unknown;
};

/** The one error class. `message` names the fault, `hint` the next step; `cause` is for the log and is never shown. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly code: ErrorCode;
  readonly hint: string | null;
  readonly details: Record<string, unknown> | null;
  readonly retryable: boolean;
  readonly mistyped: boolean;

  constructor(code: ErrorCode, message: string, options: DomainErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    // SQL sends an empty hint if there is nothing to do.
    this.hint = options.hint || null;
    this.details = options.details ?? null;
    this.mistyped = options.mistyped ?? false;
    this.retryable = options.retryable ?? ERROR_CODES[code].retryable;
  }
}

/** The fields that a driver's or the system's error may have; everything else about it is unknown. */
type Failure = {
  code?: string | undefined;
  message?: string | undefined;
  hint?: string | undefined;
  detail?: string | undefined;
};

// The server or the way to it is gone, going, full or busy: the same call may work in a moment.
const UNAVAILABLE: Readonly<Record<string, string>> = Object.freeze({
  '40001': 'Repeat the call: it collided with another one.',
  '40P01': 'Repeat the call: it collided with another one.',
  '53100': 'The disk of the database is full. Free some space, then repeat the call.',
  '53200': 'The database is out of memory. Repeat the call in a moment.',
  '53300': 'The database has no connection left. Repeat the call in a moment.',
  '55P03': 'Repeat the call in a moment: another one holds what it needs.',
  '57014': 'The call took too long and was undone. Repeat it with a smaller page or batch.',
  '57P01': 'The database is restarting. Repeat the call with the same idempotency_key.',
  '57P02': 'The database is restarting. Repeat the call with the same idempotency_key.',
  '57P03': 'The database is starting. Repeat the call in a moment.',
});

/** The message when only the driver's own text is known. */
export const NOT_AVAILABLE = 'The database is not available.';
const UNREACHABLE = /^(08...|E[A-Z]+|EAI_[A-Z]+|ERR_(STREAM|SOCKET)_[A-Z_]+)$/;
const UNREACHABLE_MESSAGE = /connection terminated|query read timeout|is not queryable|cannot use a pool/i;
const UNREACHABLE_HINT = 'The database cannot be reached. Repeat the call with the same idempotency_key.';
const EXHAUSTED_MESSAGE = /timeout exceeded when trying to connect/i;
const EXHAUSTED_HINT = 'All connections of this server are busy. Repeat the call in a moment.';

// Failures that only a person can mend: permission to connect, and trust in a certificate.
const REFUSED = /^(28...|3D000|ERR_SSL_.*)$/;
const REFUSED_MESSAGE = /^SASL|does not support SSL|SSL connection is required/i;
const REFUSED_HINT = 'Check DATABASE_URL: user, password, database name and sslmode. The server log has the cause.';
// https://nodejs.org/docs/latest-v20.x/api/tls.html#x509-certificate-error-codes
const UNTRUSTED = /^(ERR_TLS_.*|.*_CERT(_.*)?|.*CERT_.*|UNABLE_TO_.*|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE))$/;
const UNTRUSTED_HINT =
  'Check DATABASE_URL: sslrootcert names the file with the certificate of its authority, and the host is called as in its own certificate.';

// Values that no column can hold: a NUL character, a lone surrogate, a malformed uuid, a number out of range.
const INVALID_INPUT = new Set(['22003', '22007', '22008', '22021', '22P02', '22P05', '54000']);

const UNDEFINED_FUNCTION = '42883';

/**
 * The error after a newer program has changed the database while this one runs: a missing function, an answer of
 * another form.
 */
export function outdated(cause: unknown): DomainError {
  return new DomainError('unavailable', 'Restart: Cairn was updated, and this process no longer fits its database.', {
    hint: 'Restart the client or server that runs this process. If it says so again, run `cairn doctor`.',
    retryable: false,
    cause,
  });
}

/** Maps any error of a database call to the one error class. */
export function domainErrorFrom(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  const failure: Failure = error instanceof Error ? error : {};
  const code = failure.code ?? '';
  if (/^PT\d{3}$/.test(code)) return raisedBySql(failure, error);
  if (INVALID_INPUT.has(code)) {
    return new DomainError('invalid_input', 'A value cannot be stored.', {
      hint: 'Check for NUL characters, broken Unicode, malformed ids and numbers out of range.',
      cause: error,
    });
  }
  if (code === UNDEFINED_FUNCTION) return outdated(error);
  const hint = UNAVAILABLE[code] ?? (isUnreachable(failure) ? UNREACHABLE_HINT : undefined);
  if (hint !== undefined) return new DomainError('unavailable', NOT_AVAILABLE, { hint, cause: error });
  if (isExhausted(error)) return new DomainError('unavailable', NOT_AVAILABLE, { hint: EXHAUSTED_HINT, cause: error });
  if (UNTRUSTED.test(code)) {
    const message = `The certificate of the database is not accepted: ${failure.message}.`;
    return new DomainError('unavailable', message, { hint: UNTRUSTED_HINT, retryable: false, cause: error });
  }
  if (isRefused(failure)) {
    return new DomainError('unavailable', 'The database refuses the connection.', {
      hint: REFUSED_HINT,
      retryable: false,
      cause: error,
    });
  }
  return new DomainError('internal', 'Something failed inside Cairn.', {
    hint: 'Repeat the call once; if it fails again, tell the person you work for. The server log has the cause.',
    cause: error,
  });
}

/** Returns the code of the driver's or the system's error; an empty one if it has none. */
export function codeOf(error: unknown): string {
  const hasCode = typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string';
  return hasCode ? String(error.code) : '';
}

/** Returns what any thrown value says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Tells whether a call timed out waiting for one of the process's own connections. */
export function isExhausted(error: unknown): boolean {
  return error instanceof Error && EXHAUSTED_MESSAGE.test(error.message);
}

function isRefused({ code, message }: Failure): boolean {
  return code === undefined ? REFUSED_MESSAGE.test(message ?? '') : REFUSED.test(code);
}

function isUnreachable({ code, message }: Failure): boolean {
  return code === undefined ? UNREACHABLE_MESSAGE.test(message ?? '') : UNREACHABLE.test(code);
}

function raisedBySql(failure: Failure, cause: unknown): DomainError {
  const detail = parseDetail(failure.detail);
  if (!isErrorCode(detail.code)) {
    return new DomainError('internal', 'The database refused with an unknown code.', { cause });
  }
  return new DomainError(detail.code, failure.message ?? detail.code, {
    hint: failure.hint,
    details: detail.details ?? undefined,
  });
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
}

function parseDetail(detail: string | undefined): { code?: unknown; details?: Record<string, unknown> | null } {
  try {
    return JSON.parse(detail ?? '{}') ?? {};
  } catch {
    return {};
  }
}
