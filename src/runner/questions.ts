import { Ask } from '../events/approvals.ts';
import { newId } from '../events/ids.ts';
import { NO_OTHER_WAY } from '../services/approvals.ts';
import { type Answered, ASKS_MAX } from '../services/runner.ts';
import { clean, cleanLine, firstOf } from '../text.ts';
import type { Answer, Question } from './driver.ts';
import type { Report } from './port.ts';

/** How long a person is waited for, unless the runner says otherwise. */
export const ASK_SECONDS = 900;

// What the database decides is heard of a little later.
const PATIENCE_MS = 30_000;
// A report of 24 KB is taken, an approval with a detail of 16 KB.
const DETAIL_BYTES_MAX = 12_000;
const TITLE_CHARACTERS_MAX = 500;

const NOBODY: Answer = { decision: 'denied', note: `Nobody answered. ${NO_OTHER_WAY}` };
const NOT_PUT: Answer = { decision: 'denied', note: `It could not be put to anybody. ${NO_OTHER_WAY}` };
const WITHDRAWN: Answer = { decision: 'denied', note: 'It is not asked any more.' };

/** What a run asks a person, until each is answered. */
export class Questions {
  readonly #open = new Map<string, (answer: Answer) => void>();
  readonly #say: (report: Report) => Promise<boolean>;
  readonly #seconds: number;

  /** What is said settles as false where the server refuses it. */
  constructor(say: (report: Report) => Promise<boolean>, seconds: number) {
    this.#say = say;
    this.#seconds = seconds;
  }

  /** The ids of those that wait. */
  get ids(): string[] {
    return [...this.#open.keys()];
  }

  /** Settles with a person's answer; with a no when nobody answers in time, or the agent asks it no more. */
  async ask(question: Question, signal: AbortSignal): Promise<Answer> {
    if (signal.aborted) return WITHDRAWN;
    if (this.#open.size >= ASKS_MAX) return NOT_PUT;
    const { id = newId() } = question;
    const asked = { id, ...askOf(question), ttl_seconds: this.#seconds };
    const answered = new Promise<Answer>((resolve) => this.#open.set(id, resolve));
    const settle = (answer: Answer) => this.#open.get(id)?.(answer);
    const withdraw = () => {
      settle(WITHDRAWN);
      if (this.#open.size === 1) void this.#say({ type: 'run.resumed' });
    };
    const timer = setTimeout(settle, this.#seconds * 1_000 + PATIENCE_MS, NOBODY);
    signal.addEventListener('abort', withdraw, { once: true });
    const what = question.kind === 'permission' ? 'approval' : 'input';
    void this.#say({ type: 'run.waiting', data: { for: what, text: asked.title, ask: asked } }).then((isPut) => {
      if (!isPut) settle(NOT_PUT);
    });
    try {
      return await answered;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', withdraw);
      this.#open.delete(id);
    }
  }

  /** Takes what became of them. */
  hear(answers: readonly Answered[]): void {
    for (const { ask, decision, answer, note, by = 'A person' } of answers) {
      this.#open.get(ask)?.(
        decision === 'approved'
          ? { decision, ...(answer !== undefined && { answer }), ...(note !== undefined && { note }) }
          : decision === 'denied'
            ? { decision, note: `${by} said no${note === undefined ? '.' : `: ${note}`} ${NO_OTHER_WAY}` }
            : NOBODY,
      );
    }
  }
}

/** Cuts what an agent shows to what is kept of it. */
function askOf({ kind, title, detail, options }: Question) {
  const shown = Ask.shape.detail.safeParse(detail);
  const fits = shown.success && bytesOf(shown.data) <= DETAIL_BYTES_MAX;
  const choices = Ask.shape.options.safeParse(options);
  return {
    kind,
    title: firstOf(cleanLine(title), TITLE_CHARACTERS_MAX) || 'It asks.',
    ...(detail !== undefined && { detail: fits ? shown.data : cutToFit(detail) }),
    ...(choices.success && choices.data !== undefined && { options: choices.data }),
  };
}

/** Keeps the beginning: in bytes of JSON, of which a character may have many. */
function cutToFit(detail: Record<string, unknown>): { shown: string } {
  let shown = JSON.stringify(detail).slice(0, DETAIL_BYTES_MAX);
  while (bytesOf({ shown }) > DETAIL_BYTES_MAX) shown = shown.slice(0, Math.floor(shown.length * 0.9));
  // Half of a character cannot be stored.
  return { shown: clean(shown) };
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '');
}
