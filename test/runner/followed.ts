import type { Context } from '../../src/context.ts';
import { DomainError } from '../../src/errors.ts';
import type { Driver } from '../../src/runner/driver.ts';
import type { DriverName } from '../../src/runner/driver-names.ts';
import type { HolderLink } from '../../src/runner/holder/link.ts';
import type { OpenPlace } from '../../src/runner/place.ts';
import type { RunnerPort } from '../../src/runner/port.ts';
import { drive } from './drive.ts';
import { follow, openHeld } from './give.ts';

type Given = Omit<Parameters<typeof drive>[1], 'driver' | 'enter'> & {
  enter?: (open: (cwd: string) => Promise<Driver>) => Promise<OpenPlace>;
};

/** Drives heron with a runner that can be killed, and with the next one, which takes over what that has left. */
export async function driveHeld(ctx: Context, name: DriverName, { enter, ...given }: Given = {}) {
  const { driver, link } = await openHeld(name);
  let isDead = false;
  const placesOf = async (of: HolderLink) => (enter ? { enter: await enter((cwd) => of.open(cwd)) } : {});
  const first = await drive(ctx, {
    ...given,
    ...(await placesOf(link)),
    driver,
    port: (over) => {
      const port = given.port?.(over) ?? over;
      const calls = Object.entries(port).map(([call, ask]) => [
        call,
        async (...args: never[]) => {
          if (isDead) throw new DomainError('lock_lost', 'It was killed.');
          return (ask as (...args: never[]) => Promise<unknown>)(...args);
        },
      ]);
      return Object.fromEntries(calls) as RunnerPort;
    },
  });
  return {
    ...first,
    driver,
    /** Nothing of it reaches anybody from then on. */
    kill() {
      isDead = true;
      link.leave();
    },
    async next(more: Omit<Given, 'enter'> = {}) {
      const found = await follow(link);
      const followed = await drive(ctx, {
        ...more,
        ...(await placesOf(found)),
        driver: await found.open('/'),
        resumed: found.kept,
        token: first.token,
      });
      return { ...followed, link: found };
    },
  };
}

/** A server that is away when the end of a run is to be told. */
export function withoutEnds(over: RunnerPort): RunnerPort {
  return {
    ...over,
    async report(held, reports) {
      if (reports.some(({ type }) => type === 'run.finished')) throw new Error('connect ECONNREFUSED');
      return over.report(held, reports);
    },
  };
}
