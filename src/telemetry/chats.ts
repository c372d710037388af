// Which session of a program what it reports is of, where no runner drives it.
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Context } from '../context.ts';
import { addChatSteps, type Chat } from '../services/steps.ts';
import { TtlCache } from '../ttl-cache.ts';
import type { Reported } from './otlp.ts';
import { anyDialect, programOf } from './programs.ts';
import type { SendOn } from './send-on.ts';
import { textIn } from './step.ts';
import { type Branch, partsOf, StepTree } from './tree.ts';

const PROJECT = 'cairn.project';
const SORTED_AT_ONCE = 200;
const REMEMBERED = { lifeMs: 3_600_000, max: 2_000 };

/** `rejected` counts what is of no session, or can be no step. */
export type Sorted = { chats: { chat: Chat; branch: Branch }[]; rejected: number };

type Storing = Pick<Context, 'db' | 'actor'> & { sendOn?: SendOn | undefined };

/** Adds what was reported to the runs of its sessions, and sends it on. Lets others have their turn in between. */
export async function storeReported(
  { sendOn, ...ctx }: Storing,
  chats: Chats,
  reported: readonly Reported[],
): Promise<{ calls: number; rejected: number }> {
  let [calls, rejected] = [0, 0];
  chats.note(reported);
  for (let at = 0; at < reported.length; at += SORTED_AT_ONCE) {
    const sorted = chats.sort(reported.slice(at, at + SORTED_AT_ONCE));
    rejected += sorted.rejected;
    for (const { chat, branch } of sorted.chats) {
      for (const part of partsOf(branch)) {
        const stored = await addChatSteps(ctx, { chat, ...part });
        sendOn?.add(stored.run, part, stored);
        calls++;
      }
    }
    await setImmediate();
  }
  return { calls, rejected };
}

/** What the programs of one token report. Sessions of others, whatever they are called, are in the reports of others. */
export class Chats {
  readonly #tree = new StepTree(anyDialect, REMEMBERED);
  /** By trace: not every span of a session names it. */
  readonly #traces = new TtlCache<string>(REMEMBERED);
  readonly #chats = new TtlCache<Chat>(REMEMBERED);

  /** Notes which traces are of which session. */
  note(reported: readonly Reported[]): void {
    for (const one of reported) {
      const session = sessionOf(one);
      if (session !== undefined && one.traceId !== undefined) this.#traces.set(one.traceId, session);
    }
  }

  sort(reported: readonly Reported[]): Sorted {
    let rejected = 0;
    const branches = this.#tree.add(reported, (one) => {
      const key = this.#keyOf(one);
      if (key === undefined) rejected++;
      return key;
    });
    const chats = [...branches].flatMap(([key, { rejected: wrong, ...branch }]) => {
      const chat = this.#chats.get(key);
      rejected += wrong;
      return chat === undefined ? [] : [{ chat, branch }];
    });
    return { chats, rejected };
  }

  /** What its session is known by here: of the form of a trace's id. */
  #keyOf(one: Reported): string | undefined {
    const { traceId } = one;
    const session = sessionOf(one) ?? (traceId && (this.#traces.get(traceId) ?? traceId));
    if (session === undefined) return undefined;
    const key = hashOf(session).slice(0, 32);
    const { program, type } = programOf(one);
    const project = textIn(one.resource, PROJECT);
    this.#chats.set(key, this.#chats.get(key) ?? { session, program, type, ...(project !== undefined && { project }) });
    return key;
  }
}

function sessionOf(reported: Reported): string | undefined {
  const { sessions } = programOf(reported);
  const session = textIn(reported.attributes, ...sessions) ?? textIn(reported.resource, ...sessions);
  return session === undefined || /^[\x20-\x7e]{1,200}$/.test(session) ? session : hashOf(session);
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
