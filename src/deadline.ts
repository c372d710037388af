import { DomainError } from './errors.ts';

/** The next step for a person whose command met an unresponsive process. */
export const AGAIN = 'Run it again; `cairn doctor` checks the database.';

/** Settles as `work` does, or rejects when it takes longer: names what it waited for, as known by then. */
export async function within<T>(msMax: number, what: string | (() => string), work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const waited = typeof what === 'string' ? what : what();
      const message = `No end after ${Math.round(msMax / 1_000)} s of waiting for ${waited}.`;
      reject(new DomainError('unavailable', message, { hint: AGAIN }));
    }, msMax);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
