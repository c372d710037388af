import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuthError } from '@supabase/supabase-js';
import * as z from 'zod';
import { writeAtomically } from '../../atomic-write.ts';
import { codeOf, DomainError } from '../../errors.ts';
import { withLock } from '../lock.ts';
import { authClient, type Project } from './client.ts';

/** A signed-in user's access to a project, shared by all processes of this machine's user. */
export type Session = {
  user_id: string;
  /** Returns a token that stays valid for a while. Raises unauthenticated, unavailable. */
  accessToken(): Promise<string>;
  /** Replaces a refused token, unless another process already has. */
  renew(refused: string): Promise<void>;
};

const Stored = z.object({
  user_id: z.uuid(),
  email: z.string().optional(),
  access_token: z.string().min(1),
  refresh_token: z.string().min(1),
  /** Milliseconds since 1970 by this machine's clock, which may differ from the server's. */
  expires_at: z.number(),
});
export type Stored = z.infer<typeof Stored>;

/** The answer of the Auth server: https://supabase.com/docs/guides/auth/sessions. */
type Granted = {
  access_token: string;
  refresh_token: string;
  expires_in: number;
  user: { id: string; email?: string | undefined };
};

const MARGIN_MS = 60_000;
const TRIES_MAX = 3;
const BACKOFF_MS = 200;

/** Returns the session file of a project: one for each, so that signing in to one does not sign out of another. */
export function sessionFile(configDir: string, url: string): string {
  return join(configDir, 'sessions', `${new URL(url).host.replace(/[^\w.-]+/g, '_')}.json`);
}

export async function readSession(file: string): Promise<Stored | null> {
  try {
    return Stored.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof z.ZodError || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Saves a granted session; only the file's owner can read it. */
export function saveSession(file: string, granted: Granted): Promise<void> {
  return locked(file, async () => {
    await write(file, granted);
  });
}

/** Removes the session and returns it. */
export function forgetSession(file: string): Promise<Stored | null> {
  return locked(file, async () => {
    const stored = await readSession(file);
    await rm(file, { force: true });
    return stored;
  });
}

/** Follows the session in that file, read anew for each call: other processes refresh it, and a person may sign out. */
export function followSession(file: string, user_id: string, project: Project): Session {
  async function current(): Promise<Stored> {
    const stored = await readSession(file);
    if (stored?.user_id === user_id) return stored;
    throw new DomainError('unauthenticated', stored === null ? 'You signed out.' : 'Someone else signed in.', {
      hint: stored === null ? 'Run `cairn login`, then repeat the call.' : 'Restart this process to act as that user.',
    });
  }

  /** Refreshes in one process at a time: a refresh token is good for one use. */
  function refresh(isDone: (stored: Stored) => boolean): Promise<Stored> {
    return locked(file, async () => {
      const stored = await current();
      return isDone(stored) ? stored : write(file, await refreshed(stored, project));
    });
  }

  return {
    user_id,
    async accessToken() {
      const stored = await current();
      if (isFresh(stored)) return stored.access_token;
      return (await refresh(isFresh)).access_token;
    },
    async renew(refused) {
      await refresh(({ access_token }) => access_token !== refused);
    },
  };
}

function isFresh({ expires_at }: Stored): boolean {
  return expires_at - MARGIN_MS > Date.now();
}

/** Refreshes. May be repeated if the answer was lost: the Auth server then repeats it. */
async function refreshed({ refresh_token }: Stored, project: Project): Promise<Granted> {
  for (let number = 1; ; number++) {
    // A client that failed once repeats that answer for a while.
    const { data, error } = await authClient(project).refreshSession({ refresh_token });
    if (error === null && data.session !== null) return data.session;
    const failure = authError(error, 'Your session has ended.');
    if (failure.code !== 'unavailable' || number === TRIES_MAX) throw failure;
    await sleep(BACKOFF_MS * number);
  }
}

/** Translates an error: a refusal of the Auth server is final, any other passes. */
export function authError(error: AuthError | null, message: string): DomainError {
  if (error?.status === 408 || (error?.status ?? 0) >= 500) {
    const hint = 'Check SUPABASE_URL and the network, then repeat the call.';
    return new DomainError('unavailable', 'The Auth server of the Supabase project cannot be reached.', {
      hint,
      cause: error,
    });
  }
  if (error?.status === 429) {
    const hint = 'Wait a minute, then try again.';
    return new DomainError('rate_limited', 'The Supabase project limits the rate of attempts.', { hint, cause: error });
  }
  const said = error === null ? message : `${message} The Auth server says: ${error.message}.`;
  return new DomainError('unauthenticated', said, { hint: 'Run `cairn login`.', cause: error });
}

async function write(file: string, { access_token, refresh_token, expires_in, user }: Granted): Promise<Stored> {
  const expires_at = Date.now() + expires_in * 1_000;
  const stored: Stored = { user_id: user.id, email: user.email, access_token, refresh_token, expires_at };
  await writeAtomically(file, `${JSON.stringify(stored)}\n`);
  return stored;
}

async function locked<T>(file: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  return withLock(`${file}.lock`, work);
}
