import { newId } from '../../events/ids.ts';
import type { Driver, Limited, Mode, Turn, Watcher } from '../driver.ts';
import { KeptProcess } from '../kept-process.ts';
import { eachLine, jsonOf } from '../lines.ts';
import type { Program } from '../process-group.ts';
import { type Member, SharedTurn } from '../shared-turn.ts';
import { type Asked, Line, type Message, type Result, shown, tokensOf } from './claude-lines.ts';
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
  #asked = new Map<string, AbortController>();
  /** When the provider allows more, since it refused; it says so once. */
  #resetsAt: number | undefined;

  constructor({ program, graceMs }: Options) {
    this.#program = program;
    this.#process = new KeptProcess({ graceMs, turn: this.#turn });
  }

  deliver(text: string, { mode, watcher, env }: { mode: Mode; watcher: Watcher; env: Record<string, string> }): Turn {
    if (this.#process.group === undefined) this.#start(env);
    const isFirst = !this.#turn.isOpen;
    const member = this.#turn.await(watcher);
    const uuid = newId();
    if (isFirst) {
      this.#turn.join(member);
      this.#used.clear();
    } else {
      this.#given.set(uuid, member);
      void member.ended.finally(() => this.#given.delete(uuid));
    }
    const priority = PRIORITY[mode];
    const message = { role: 'user', content: text };
    this.#process.send({ type: 'user', uuid, message, parent_tool_use_id: null, ...(priority && { priority }) });
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
    const { child } = this.#process.start({ ...program, args, env: { ...program.env, ...env } });
    eachLine(child.stdout, (text) => {
      const { data } = Line.safeParse(jsonOf(text));
      if (data !== undefined) this.#take(data);
    });
  }

  #take(line: Line): void {
    switch (line.type) {
      case 'system':
        this.#session = line.session_id;
        break;
      case 'user':
        this.#takenUp(this.#given.get(line.uuid));
        break;
      case 'assistant':
        this.#show(line.message);
        break;
      case 'rate_limit_event': {
        const { status, resetsAt } = line.rate_limit_info;
        this.#resetsAt = status === 'rejected' ? (resetsAt ?? undefined) : undefined;
        break;
      }
      case 'control_request':
        void this.#ask(line.request_id, line.request);
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
    if (!this.#turn.isOpen) this.#used.clear();
    this.#turn.join(member);
    this.#turn.begin();
    if (member.isInterrupted) this.#interrupt();
  }

  #show({ id = newId(), content, usage }: Message): void {
    this.#turn.begin();
    for (const block of content) {
      if ('text' in block) this.#turn.say(shown(block));
      else this.#turn.print('stdout', shown(block));
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

  #end(line: Result): void {
    const { subtype, is_error = false, result = this.#turn.said, usage } = line;
    if (usage !== undefined) this.#turn.use(tokensOf(usage));
    const limited = limitedBy(line, this.#resetsAt);
    if (limited !== undefined) this.#turn.end(limited);
    else if (is_error || subtype !== 'success') {
      const error = `${subtype}: ${result}`.slice(0, 2_000);
      this.#turn.end({ status: 'failed', end_reason: 'error', error });
    } else this.#turn.end({ status: 'completed', end_reason: 'completed', result });
  }
}

/** Tells whether the provider refused more work: said as a status, or in words with a Unix time in seconds. */
function limitedBy({ is_error, api_error_status, result = '' }: Result, resetsAt?: number): Limited | undefined {
  const said = /usage limit reached(?:\|(\d{9,11}))?/i.exec(result);
  if (is_error !== true || (api_error_status !== 429 && said === null)) return undefined;
  const at = said?.[1] === undefined ? resetsAt : Number(said[1]);
  const until = at === undefined ? {} : { until: new Date(at * 1_000).toISOString() };
  return { status: 'limited', reason: result.replace(/\|\d{9,11}/, '').slice(0, 2_000), ...until };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
