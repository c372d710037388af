import { DomainError } from '../errors.ts';
import type { Held } from '../services/runner.ts';
import type { RunnerPort } from './port.ts';

/**
 * Asks again with the runs alone where the server does not take what is told of them. An agent chooses some of that,
 * and must not keep a stop from its runner.
 */
export function ordersFirst(port: RunnerPort): RunnerPort {
  return {
    ...port,
    beat: (token, beat) =>
      port.beat(token, beat).catch((error) => {
        if (!isAboutInput(error)) throw error;
        const { runs, leaving } = beat;
        return port.beat(token, { runs: runs.map(bare), ...(leaving && { leaving }) });
      }),
    control: (held, waiting) =>
      port.control(held, waiting).catch((error) => {
        if (!isAboutInput(error)) throw error;
        return port.control(held.map(bare), waiting);
      }),
  };
}

function bare({ run, lock_token }: Held): Held {
  return { run, lock_token };
}

function isAboutInput(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'invalid_input';
}
