import { SUBAGENT_CHARACTERS_MAX, SUBAGENTS_MAX } from '../services/runner.ts';
import { cleanLine, firstOf, line } from '../text.ts';

/** One that nobody can see is none. */
const Name = line(SUBAGENT_CHARACTERS_MAX);

/** What the agent of a run has at work beside itself, by name: sub-agents, and what it left running. */
export class Subagents {
  #now: string[] = [];
  readonly #seen = new Set<string>();

  /** Those at work now, where there are any. */
  get now(): { subagents?: string[] } {
    return listed(this.#now);
  }

  /** All that were. */
  get seen(): { subagents?: string[] } {
    return listed([...this.#seen]);
  }

  set(names: readonly string[]): void {
    this.#now = names.flatMap((name) => Name.safeParse(firstOf(cleanLine(name), SUBAGENT_CHARACTERS_MAX)).data ?? []);
    for (const name of this.#now) this.#seen.add(name);
  }
}

function listed(names: readonly string[]): { subagents?: string[] } {
  return names.length === 0 ? {} : { subagents: names.slice(0, SUBAGENTS_MAX) };
}
