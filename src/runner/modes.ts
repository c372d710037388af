import type { Driver, Mode } from './driver.ts';

/** How an agent takes commands, as it is registered. */
export function modesOf({ modes }: Driver, { runs_at_once }: Record<string, unknown>): readonly Mode[] {
  // Of several runs none is what a command that interrupts is to come in the place of.
  const isOne = runs_at_once === undefined || runs_at_once === 1;
  return isOne ? modes : modes.filter((mode) => mode !== 'interrupt');
}
