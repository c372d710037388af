import { Hono } from 'hono';
import type { RouteEnv } from '../../src/auth/access.ts';
import { bearerAccess } from '../../src/auth/resource/bearer.ts';
import { RUNNER_SCOPE } from '../../src/auth/scopes.ts';
import { createPat } from '../../src/auth/server/issue.ts';
import { authSettings, resourceOf } from '../../src/auth/settings.ts';
import { authStore } from '../../src/auth/store.ts';
import { readConfig } from '../../src/config.ts';
import type { Context } from '../../src/context.ts';
import { type HttpParts, serveHttp } from '../../src/server/http/server.ts';
import { freePort } from './free-port.ts';

type Answer = { status: number; headers: Headers; [field: string]: unknown };

export type RunnerServer = Awaited<ReturnType<typeof serveRunners>>;

/** A server for runners over a test's database: it can go away, and come back at the same address. */
export async function serveRunners(
  { db, log }: Pick<Context, 'db' | 'log'>,
  limits: HttpParts['limits'] = {},
  publicUrl?: URL,
) {
  const url = new URL(`http://127.0.0.1:${await freePort()}`);
  const { origin } = publicUrl ?? url;
  const settings = authSettings(new URL(origin), {});
  const access = { ...bearerAccess(authStore(db), settings), routes: new Hono<RouteEnv>() };
  const config = readConfig({ host: url.hostname, port: url.port, publicUrl: origin, auth: true, toolsets: 'all' }, {});
  const start = () => serveHttp({ config, log, db, access, limits: { drainMs: 200, ...limits } });
  let server: Awaited<ReturnType<typeof start>> | undefined = await start();

  return {
    url,
    /** A token of the context's user. */
    async tokenOf({ actor }: Context, given: { agent?: string; scope?: string; project?: string } = {}) {
      const { agent, scope = RUNNER_SCOPE, project } = given;
      return createPat(db, actor, { name: 'runner', scope, agent, project, days: 1, resource: resourceOf(settings) });
    },
    /** Asks as a runner does, with any body. */
    async ask(path: string, body: unknown, { token, headers = {} }: { token?: string; headers?: object } = {}) {
      const response = await fetch(new URL(`/api/v1/runner/${path}`, url), {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...headers,
        },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      const answer: Answer = {
        status: response.status,
        headers: response.headers,
        ...((await response.json()) as object),
      };
      return answer;
    },
    async leave() {
      await server?.close();
      server = undefined;
    },
    async comeBack() {
      server = await start();
    },
    close: () => server?.close(),
  };
}
