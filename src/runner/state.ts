import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { DomainError } from '../errors.ts';
import { whatBecameOf } from './process-start.ts';

const Process = z.object({ pid: z.int().min(1), began: z.string(), mark: z.string().optional() });
const State = z.object({
  /** Whose it is, and of which server; earlier builds did not say. */
  agent: z.string().optional(),
  place: z.string().optional(),
  /** None before it has registered. */
  token: z.int().optional(),
  runner: Process,
  children: z.array(Process),
  /** How many runs its agent does at once. */
  at_once: z.int().min(1).optional().catch(undefined),
  /** The program that owns those, where one does, and what it was started for. */
  holder: z.object({ ...Process.shape, path: z.string(), secret: z.string(), drives: z.string() }).optional(),
  /** When its processes were noted, in ms; before this start of the machine where it does not say. */
  at: z.number().catch(0),
});
/** What a runner leaves for the next one of its name: its token, and the processes that it has started. */
export type State = z.infer<typeof State>;

/** Reads it; undefined where there is none, or none that can be read. */
export async function readState(path: string): Promise<State | undefined> {
  try {
    return State.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Raises lock_held while the runner that wrote it is alive. */
export async function refuseAlive({ runner }: State, name: string): Promise<'gone' | 'unknown'> {
  const became = await whatBecameOf(runner);
  if (became !== 'alive') return became;
  throw new DomainError('lock_held', `${name} is already driven by process ${runner.pid}.`, {
    hint: 'Choose another name with --name, or end that runner.',
  });
}
