import type { Access, Principal } from '../../auth/access.ts';
import { REPORTING_SCOPE } from '../../auth/scopes.ts';
import { mayUse } from '../../context.ts';
import type { Database } from '../../db/database.ts';
import { DomainError, domainErrorFrom, ERROR_CODES } from '../../errors.ts';
import { recordOf } from '../../records.ts';
import { Chats, storeReported } from '../../telemetry/chats.ts';
import {
  type Answer,
  acceptance,
  BODY_BYTES_MAX,
  refusal,
  SIGNALS,
  takeExport,
} from '../../telemetry/export-request.ts';
import type { Signal } from '../../telemetry/otlp.ts';
import type { SendOn } from '../../telemetry/send-on.ts';
import { TtlCache } from '../../ttl-cache.ts';
import { takeBody } from './body.ts';
import { type OtlpLimits, ReportLimits } from './otlp-limits.ts';
import type { OpenRequest } from './request-log.ts';

const PATH = '/v1/';
const CLIENT = 'OTLP';
const TOKENS = { lifeMs: 3_600_000, max: 200 };
const RETRY_SECONDS = 5;

type Parts = { access: Access; db: Database; limits: OtlpLimits; sendOn?: SendOn | undefined };
type Report = { signal: Signal; request: Request; principal: Principal; openRequest: OpenRequest };

/** The signal that a path takes, where it is one of OTLP. */
export function signalAt(path: string): Signal | undefined {
  return path.startsWith(PATH) ? SIGNALS.find((signal) => path === `${PATH}${signal}`) : undefined;
}

/** Serves `/v1/traces`, `/v1/logs` and `/v1/metrics` to programs that report without a runner. */
export class OtlpEndpoint {
  readonly #parts: Parts;
  readonly #limits: ReportLimits;
  /** By token. */
  readonly #chats = new TtlCache<Chats>(TOKENS);
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#limits = new ReportLimits(parts.limits);
  }

  async serve(request: Request, { signal, openRequest }: Pick<Report, 'signal' | 'openRequest'>): Promise<Response> {
    openRequest.said.route = `${PATH}${signal}`;
    const type = request.headers.get('content-type') ?? undefined;
    try {
      if (request.method !== 'POST') {
        return answerOf(405, refusal(type, 'invalid_input', 'Programs report with POST.'), { allow: 'POST' });
      }
      const principal = await this.#principalOf(request, openRequest);
      if (principal instanceof Response) return await inOtlp(type, principal);
      openRequest.said.user = principal.actor.user_id;
      const wait = this.#limits.take(principal.id);
      if (wait !== undefined) throw tooMany('This token has reported too often within a minute.', wait);
      const rejected = await this.#take({ signal, request, principal, openRequest });
      if (rejected instanceof Response) return await inOtlp(type, rejected);
      return answerOf(200, acceptance({ signal, type }, rejected));
    } catch (error) {
      // Nobody is left to answer.
      if (openRequest.incoming.errored !== null || openRequest.outgoing.destroyed) throw error;
      const { code, message, hint, details } = domainErrorFrom(error);
      if (code === 'internal') openRequest.log.error({ err: error }, 'a report failed');
      const { status } = ERROR_CODES[code];
      return answerOf(status, refusal(type, code, [message, hint].filter(Boolean).join(' ')), {
        ...((status === 429 || status === 503) && {
          'retry-after': String(details?.['retry_after_seconds'] ?? RETRY_SECONDS),
        }),
        ...(status === 413 && { connection: 'close' }),
      });
    }
  }

  /** With the proof of its token where that is known: the database looks at it. */
  async #principalOf(request: Request, { address }: OpenRequest): Promise<Principal | Response> {
    const { access } = this.#parts;
    const principal =
      access.cachedPrincipal?.(request, { address }) ?? (await access.authenticate(request, { address }));
    if (principal instanceof Response || mayUse(principal.scopes, REPORTING_SCOPE)) return principal;
    // Who is no longer admitted hears that first.
    const found = principal.actor.proof && (await access.authenticate(request, { address }));
    return found instanceof Response ? found : access.challenge([REPORTING_SCOPE]);
  }

  /** Answers how much was left out. */
  async #take(report: Report): Promise<number | Response> {
    const { incoming } = report.openRequest;
    // Of one that is sent in pieces nobody knows before how long it is.
    const bytes = Math.min(Number(incoming.headers['content-length'] ?? BODY_BYTES_MAX), BODY_BYTES_MAX);
    const room = this.#limits.reserve(report.principal.id, bytes);
    if (room === undefined) throw tooMany('There is no room for more reports now.', RETRY_SECONDS);
    try {
      const body = await takeBody(incoming, BODY_BYTES_MAX);
      return await this.#inTurn(report.principal.id, () => this.#store(report, body));
    } finally {
      room.release();
    }
  }

  /** Does what is of one token in order, so that one that floods keeps itself waiting. */
  async #inTurn<Result>(token: string, work: () => Promise<Result>): Promise<Result> {
    const last = this.#turns.get(token) ?? Promise.resolve();
    const turn = last.then(work, work);
    this.#turns.set(token, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(token) === turn) this.#turns.delete(token);
    }
  }

  async #store({ signal, request, principal, openRequest }: Report, body: Uint8Array): Promise<number | Response> {
    const { access, db, sendOn } = this.#parts;
    const { headers } = request;
    const { reported, rejected } = await takeExport({
      signal,
      type: headers.get('content-type') ?? undefined,
      encoding: headers.get('content-encoding') ?? undefined,
      body,
    });
    const { id: grant, actor } = principal;
    const acting = { ...actor, grant, gone: () => request.signal, agent: null, client: CLIENT };
    const again = async () => actor.proof && (await access.authenticate(request, { address: openRequest.address }));
    try {
      const stored = await storeReported({ db, actor: acting, sendOn }, this.#chatsOf(principal), reported);
      // The database has not looked at the token where there was nothing to add.
      const found = stored.calls === 0 ? await again() : undefined;
      return found instanceof Response ? found : rejected + stored.rejected;
    } catch (error) {
      // Only a caller who is still admitted hears of anything else.
      const found = await again();
      if (found instanceof Response) return found;
      throw error;
    }
  }

  #chatsOf({ id }: Principal): Chats {
    const chats = this.#chats.get(id) ?? new Chats();
    this.#chats.set(id, chats);
    return chats;
  }
}

function tooMany(message: string, seconds: number): DomainError {
  return new DomainError('rate_limited', message, {
    hint: 'Send more at once, or less.',
    details: { retry_after_seconds: seconds },
  });
}

function answerOf(status: number, { type, body }: Answer, headers: Record<string, string> = {}): Response {
  return new Response(body, { status, headers: { 'content-type': type, 'cache-control': 'no-store', ...headers } });
}

/** Gives a refusal of access the form of OTLP, and leaves its challenge. */
async function inOtlp(type: string | undefined, refused: Response): Promise<Response> {
  const { error, error_description } = recordOf(await refused.json().catch(() => ({})));
  const code = refused.status === 401 ? 'unauthenticated' : error === 'insufficient_scope' ? error : 'forbidden';
  const message = `The access token is not accepted. ${error_description ?? ''} Make one that may report: cairn auth pat create --name NAME --scope ${REPORTING_SCOPE}`;
  const challenge = refused.headers.get('www-authenticate');
  return answerOf(refused.status, refusal(type, code, message), {
    ...(challenge !== null && { 'www-authenticate': challenge }),
  });
}
