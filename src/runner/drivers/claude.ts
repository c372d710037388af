import { newId } from '../../events/ids.ts';
import { firstOf } from '../../text.ts';
import type { Driver, Mode, Turn, Watcher } from '../driver.ts';
import type { Ended, Limited } from '../ended.ts';
import { KeptProcess } from '../kept-process.ts';
import { jsonOf } from '../lines.ts';
import type { Program } from '../process-group.ts';
import { isoTimeOf } from '../provider-wait.ts';
import { type Member, SharedTurn } from '../shared-turn.ts';
import { Background, nameOf } from './claude-background.ts';
import { type Asked, Line, type Result, type Said, shown, tokensOf, tokensOfAll } from './claude-lines.ts';
import { replyTo } from './claude-questions.ts';

type Options = { program: Program; graceMs: number };

// What Claude Code needs to be driven (its stream-json format of `claude -p`), unless the caller has said it.
const FLAGS: readonly (readonly string[])[] = [
  ['-p'],
  ['--input-format', 'stream-json'],
  ['--output-format', 'stream-json'],
  ['--verbose'],
  ['--permission-prompt-tool', 'stdio'],
  // Says when a text has been taken up.
  ['--replay-user-messages'],
];
/** After a sub-agent it goes on at once, or not at all. */
const GOES_ON_MS = 2_000;
const PRIORITY = { turn: undefined, steer: 'next', interrupt: 'now' } as const;

/** Drives Claude Code over its stream of JSON: one process for all turns, which texts join and requests interrupt. */
export function claudeDriver(options: Options): Driver {
  const session = new ClaudeSession(options);
  return {
    path: 'stream-json of Claude Code',
    modes: ['turn', 'steer', 'interrupt'],
    open: async () => {},
    deliver: (text, how) => session.deliver(text, how),
    close: () => session.close(),
    pids: () => session.pids(),
  };
}

class ClaudeSession {
  readonly #program: Program;
  readonly #process: KeptProcess;
  readonly #turn = new SharedTurn();
  /** Continues the conversation when the process is started again. */
  #session: string | undefined;
  /** Texts that were given, by the id that comes back when they are taken up. */
  #given = new Map<string, Member>();
  #used = new Map<string, { in: number; out: number }>();
  /** What its process had used before this turn. */
  #usedBefore = { in: 0, out: 0 };
  #usedAll = { in: 0, out: 0 };
  readonly #background = new Background();
  /** How its turn has ended, while sub-agents that it started are at work: when they are done it goes on by itself. */
  #heldEnd: Ended | undefined;
  #goesOn: NodeJS.Timeout | undefined;
  /** An interrupt ends its sub-agents, and nothing follows. */
  #isInterrupted = false;
  #asked = new Map<string, AbortController>();
  /** When the provider allows more, since it refused; it says so once. */
  #resetsAt: number | undefined;

  constructor({ program, graceMs }: Options) {
    this.#program = program;
    this.#process = new KeptProcess({ graceMs, turn: this.#turn });
  }

  deliver(text: string, { mode, watcher, env }: { mode: Mode; watcher: Watcher; env: Record<string, string> }): Turn {
    if (this.#process.group === undefined) this.#start(env);
    const member = this.#turn.await(watcher);
    const uuid = newId();
    // It may be in a turn of its own, after a sub-agent has ended: what ends before it takes the text up is not its end.
    this.#given.set(uuid, member);
    void member.ended.finally(() => this.#given.delete(uuid));
    const priority = PRIORITY[mode];
    const message = { role: 'user', content: text };
    this.#process.send({ type: 'user', uuid, message, parent_tool_use_id: null, ...(priority && { priority }) }, () =>
      this.#turn.deliver(member),
    );
    return {
      ended: member.ended,
      interrupt: () => {
        member.isInterrupted = true;
        this.#interrupt();
      },
      stop: () => this.#process.stop(),
    };
  }

  #interrupt(): void {
    this.#isInterrupted = true;
    this.#process.send({ type: 'control_request', request_id: newId(), request: { subtype: 'interrupt' } });
  }

  close(): Promise<void> {
    return this.#process.close();
  }

  pids(): number[] {
    return this.#process.pids();
  }

  #start(env: Record<string, string>): void {
    const program = this.#program;
    const missing = FLAGS.filter(([flag = '']) => !program.args.includes(flag)).flat();
    const resumed = this.#session === undefined ? [] : ['--resume', this.#session];
    const args = [...program.args, ...missing, ...resumed];
    this.#usedAll = { in: 0, out: 0 };
    this.#process.start({ ...program, args, env: { ...program.env, ...env } }, () => {
      this.#background.clear();
      this.#release();
    });
    this.#process.eachLine((text) => {
      const { data } = Line.safeParse(jsonOf(text));
      if (data !== undefined) this.#take(data);
    });
  }

  #take(line: Line): void {
    switch (line.type) {
      case 'system':
        if ('session_id' in line) {
          this.#session = line.session_id;
          if (line.subtype === 'init') clearTimeout(this.#goesOn);
        } else {
          this.#background.take(line);
          this.#work();
        }
        break;
      case 'user':
        this.#takenUp(this.#given.get(line.uuid));
        break;
      case 'assistant':
        this.#show(line);
        break;
      case 'rate_limit_event': {
        const { status, resetsAt } = line.rate_limit_info;
        this.#resetsAt = status === 'rejected' ? (resetsAt ?? undefined) : undefined;
        break;
      }
      case 'control_request':
        void this.#ask(line.request_id, line.request).catch((error: unknown) => this.#process.fail(error));
        break;
      case 'control_cancel_request':
        this.#asked.get(line.request_id)?.abort();
        break;
      default:
        this.#end(line);
    }
  }

  #takenUp(member: Member | undefined): void {
    if (member === undefined) return;
    // It came too late for the turn before, and has one of its own.
    if (!this.#turn.isOpen) {
      this.#used.clear();
      this.#usedBefore = this.#usedAll;
    }
    clearTimeout(this.#goesOn);
    this.#isInterrupted = false;
    this.#turn.join(member);
    this.#turn.begin();
    if (member.isInterrupted) this.#interrupt();
  }

  #show({ message, parent_tool_use_id, subagent_type, task_description }: Said): void {
    const { id = newId(), content, usage } = message;
    const isSubagent = typeof parent_tool_use_id === 'string';
    this.#turn.begin();
    for (const block of content) {
      const text = shown(block);
      if (isSubagent)
        this.#turn.print('stdout', text && `[${nameOf({ subagent_type, description: task_description })}] ${text}`);
      else if ('text' in block) this.#turn.say(text);
      else this.#turn.print('stdout', text);
    }
    if (usage === undefined) return;
    // A message comes once for each of its parts, and counts once.
    this.#used.set(id, tokensOf(usage));
    const all = [...this.#used.values()];
    this.#turn.use({ in: sum(all.map((tokens) => tokens.in)), out: sum(all.map((tokens) => tokens.out)) });
  }

  async #ask(id: string, request: Asked): Promise<void> {
    const withdrawn = new AbortController();
    this.#asked.set(id, withdrawn);
    const response = await replyTo(request, (question) => this.#turn.ask(question, withdrawn.signal));
    this.#asked.delete(id);
    if (response === undefined) return;
    this.#process.send({ type: 'control_response', response: { subtype: 'success', request_id: id, response } });
  }

  #work(): void {
    this.#turn.works(this.#background.names);
    if (this.#heldEnd === undefined || this.#background.agents > 0) return;
    clearTimeout(this.#goesOn);
    this.#goesOn = setTimeout(() => this.#endHeld(), this.#isInterrupted ? 0 : GOES_ON_MS);
  }

  #endHeld(): void {
    const held = this.#heldEnd;
    this.#release();
    if (held !== undefined) this.#turn.end(held);
  }

  #release(): void {
    clearTimeout(this.#goesOn);
    this.#heldEnd = undefined;
  }

  #end(line: Result): void {
    this.#count(line);
    this.#release();
    const { subtype, is_error = false, result = this.#turn.said } = line;
    const limited = limitedBy(line, this.#resetsAt);
    if (limited !== undefined) this.#turn.end(limited);
    else if (is_error || subtype !== 'success') {
      const error = firstOf(`${subtype}: ${result}`, 2_000);
      this.#turn.end({ status: 'failed', end_reason: 'error', error });
    } else {
      const end: Ended = { status: 'completed', end_reason: 'completed', result };
      if (this.#background.agents > 0) this.#heldEnd = end;
      else this.#turn.end(end);
    }
  }

  /** Counts at the end of a turn, with the tokens of sub-agents where it says so. */
  #count({ usage, modelUsage }: Result): void {
    if (modelUsage === undefined) {
      if (usage !== undefined) this.#turn.use(tokensOf(usage));
      return;
    }
    this.#usedAll = tokensOfAll(modelUsage);
    const { in: read, out } = this.#usedBefore;
    this.#turn.use({ in: Math.max(0, this.#usedAll.in - read), out: Math.max(0, this.#usedAll.out - out) });
  }
}

/** Tells whether the provider refused more work: said as a status, or in words with a Unix time in seconds. */
function limitedBy({ is_error, api_error_status, result = '' }: Result, resetsAt?: number): Limited | undefined {
  const said = /usage limit reached(?:\|(\d{9,11}))?/i.exec(result);
  if (is_error !== true || (api_error_status !== 429 && said === null)) return undefined;
  const at = said?.[1] === undefined ? resetsAt : Number(said[1]);
  const until = at === undefined ? undefined : isoTimeOf(at * 1_000);
  return { status: 'limited', reason: firstOf(result.replace(/\|\d{9,11}/, ''), 2_000), ...(until && { until }) };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
