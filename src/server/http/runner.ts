import { isUtf8 } from 'node:buffer';
import type * as z from 'zod';
import type { Access, Principal } from '../../auth/access.ts';
import { RUNNER_SCOPE } from '../../auth/scopes.ts';
import { mayUse } from '../../context.ts';
import type { Database } from '../../db/database.ts';
import { DomainError, type ErrorCode } from '../../errors.ts';
import { recordOf } from '../../records.ts';
import { databasePort, type RunnerPort } from '../../runner/port.ts';
import { AddOutput } from '../../services/output.ts';
import { AskControl, BeatAgent, ClaimRun, RegisterAgent, ReportRun } from '../../services/runner.ts';
import { AddSteps } from '../../services/steps.ts';
import type { SendOn } from '../../telemetry/send-on.ts';
import { takeBody } from './body.ts';
import type { OpenRequest } from './request-log.ts';

const BODY_BYTES_MAX = 1_048_576;
const CLIENT = 'cairn agent run';

type Call = {
  body: unknown;
  port: (agent: string) => RunnerPort;
  principal: Principal;
  openRequest: OpenRequest;
  signal: AbortSignal;
};
type Parts = { access: Access; db: Database; sendOn?: SendOn | undefined };
type Asked = { openRequest: OpenRequest; name: string };

/** Serves `/api/v1/runner/…`: what a runner says and asks, one call of the database each, but for `control`. */
export class RunnerEndpoint {
  readonly #access: Access;
  readonly #db: Database;
  readonly #sendOn: SendOn | undefined;
  readonly #leaving = new AbortController();
  /** The one open question of each runner. */
  readonly #open = new Map<string, AbortController>();
  readonly #calls: Readonly<Record<string, (call: Call) => Promise<unknown>>>;

  constructor({ access, db, sendOn }: Parts) {
    this.#access = access;
    this.#db = db;
    this.#sendOn = sendOn;
    this.#calls = Object.freeze({
      register: ({ port, body }) => port('').register(given(RegisterAgent, body)),
      beat({ port, body }) {
        const { agent, token, beat } = given(BeatAgent, body);
        return port(agent).beat(token, beat);
      },
      control: (call) => this.#control(call),
      claim({ port, body }) {
        const { agent, token, holding } = given(ClaimRun, body);
        return port(agent).claim(token, holding);
      },
      output({ port, body }) {
        const { run, lock_token, ...sent } = given(AddOutput, body);
        return port('').output({ run, lock_token }, sent);
      },
      steps({ port, body }) {
        const { run, lock_token, ...sent } = given(AddSteps, body);
        return port('').steps({ run, lock_token }, sent);
      },
      settle({ port, body }) {
        const { events, ...held } = given(ReportRun, body);
        return port('').report(
          held,
          events.map(({ type, data = {} }) => ({ type, data })),
        );
      },
    });
  }

  async serve(request: Request, { openRequest, name }: Asked): Promise<Response> {
    const call = Object.hasOwn(this.#calls, name) ? this.#calls[name] : undefined;
    if (call === undefined) throw new DomainError('not_found', 'There is no such path for runners.');
    openRequest.said.route = `/api/v1/runner/${name}`;
    if (request.method !== 'POST') {
      const message = 'Runners ask with POST.';
      return Response.json({ error: 'invalid_input', message }, { status: 405, headers: { allow: 'POST' } });
    }
    const peer = { address: openRequest.address };
    const ask = () => this.#access.authenticate(request, peer);
    const first = this.#access.cachedPrincipal?.(request, peer) ?? (await ask());
    if (first instanceof Response) return inOurForm(first);
    // With the token's proof, which each call of the database looks at, however long it was waited.
    const principal = this.#access.cachedPrincipal?.(request, peer) ?? first;
    if (!mayUse(principal.scopes, RUNNER_SCOPE)) return inOurForm(this.#access.challenge([RUNNER_SCOPE]));
    const { id: grant, actor } = principal;
    openRequest.said.user = actor.user_id;
    try {
      const body = await bodyOf(request, openRequest);
      const acting = { ...actor, grant, gone: () => request.signal, agent: agentIn(body), client: CLIENT };
      const port = (agent: string) => databasePort({ db: this.#db, actor: acting, sendOn: this.#sendOn }, agent);
      return Response.json(await call({ body, port, principal, openRequest, signal: request.signal }), {
        headers: { 'cache-control': 'no-store' },
      });
    } catch (error) {
      // Only a caller who is still admitted hears of anything else.
      const again = principal.actor.proof && (await ask());
      if (again instanceof Response) return inOurForm(again);
      throw error;
    }
  }

  /** Answers those who wait. */
  drain(): void {
    this.#leaving.abort();
  }

  /** Waits for news; a newer question of the same runner ends the older. */
  async #control({ body, port, principal, openRequest, signal: gone }: Call): Promise<unknown> {
    const { agent, held, seen } = given(AskControl, body);
    openRequest.stream = true;
    const runner = `${principal.id} ${agent.toLowerCase()}`;
    const replaced = new AbortController();
    this.#open.get(runner)?.abort();
    this.#open.set(runner, replaced);
    try {
      const signal = AbortSignal.any([gone, this.#leaving.signal, replaced.signal]);
      return await port(agent).control(held, { seen, signal });
    } finally {
      if (this.#open.get(runner) === replaced) this.#open.delete(runner);
    }
  }
}

async function bodyOf(request: Request, { incoming }: OpenRequest): Promise<unknown> {
  const { headers } = request;
  if (!/^application\/json *(;|$)/i.test(headers.get('content-type') ?? '') || headers.has('content-encoding')) {
    throw new DomainError('invalid_input', 'The body must be plain application/json.');
  }
  const bytes = await takeBody(incoming, BODY_BYTES_MAX);
  try {
    if (isUtf8(bytes)) return JSON.parse(bytes.toString());
  } catch {
    // As if it were not UTF-8.
  }
  throw new DomainError('invalid_input', 'The body is not JSON in UTF-8.');
}

function given<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new DomainError('invalid_input', `${field === '' ? 'The body' : field}: ${issue?.message ?? 'is not valid'}.`, {
    details: { field },
  });
}

/** A runner speaks as its agent; of a run's the database knows it. */
function agentIn(body: unknown): string | null {
  const { agent } = recordOf(body);
  const name = typeof agent === 'string' ? agent : recordOf(agent)['name'];
  return typeof name === 'string' ? name : null;
}

/** Gives a refusal of access the form of every other here, and leaves its challenge. */
async function inOurForm(refused: Response): Promise<Response> {
  const { error, error_description } = recordOf(await refused.json().catch(() => ({})));
  const code: ErrorCode =
    refused.status === 401 ? 'unauthenticated' : error === 'insufficient_scope' ? 'insufficient_scope' : 'forbidden';
  const challenge = refused.headers.get('www-authenticate');
  return Response.json(
    {
      error: code,
      message: `The access token is not accepted. ${error_description}`,
      hint: 'Make a token for the agent: cairn auth pat create --name NAME --agent AGENT.',
    },
    { status: refused.status, headers: challenge === null ? {} : { 'www-authenticate': challenge } },
  );
}
