import type { Driver, Mode, Turn, Watcher } from '../driver.ts';
import { JsonRpcPeer } from '../json-rpc.ts';
import { KeptProcess } from '../kept-process.ts';
import type { Program } from '../process-group.ts';
import { INTERRUPTED, type Member, SharedTurn } from '../shared-turn.ts';
import {
  type Turn as EndedTurn,
  type Item,
  type Limits,
  limitedBy,
  nameOf,
  ServerNotice,
  SubagentRead,
  shown,
  ThreadOpened,
  TurnStarted,
} from './codex-messages.ts';
import { replyTo } from './codex-questions.ts';

type Options = { program: Program; graceMs: number };
type Given = { peer: JsonRpcPeer; member: Member; joins: boolean };

const SERVER = 'app-server';

/** Drives Codex by its server for editors, `codex app-server`: one process and one thread for all turns. */
export function codexDriver(options: Options): Driver {
  const session = new CodexSession(options);
  return {
    path: 'app-server of Codex',
    modes: ['turn', 'steer', 'interrupt'],
    open: async () => {},
    deliver: (text, how) => session.deliver(text, how),
    close: () => session.close(),
    pids: () => session.pids(),
  };
}

class CodexSession {
  readonly #program: Program;
  readonly #process: KeptProcess;
  readonly #turn = new SharedTurn();
  #peer: JsonRpcPeer | undefined;
  #opened: Promise<void> = Promise.resolve();
  #given: Promise<void> = Promise.resolve();
  /** Goes on in another process when this one has ended. */
  #thread: string | undefined;
  /** The turn that goes on, as Codex calls it. */
  #current: string | undefined;
  /** Tokens of the thread, and those of them that were used before this turn. */
  #used = { in: 0, out: 0 };
  #usedBefore = { in: 0, out: 0 };
  #limits: Limits | undefined;
  #asked = new Map<string | number, AbortController>();
  #files = new Map<string, string[]>();
  /** Those that it has started, by their thread. */
  readonly #subagents = new Map<string, string>();
  readonly #busy = new Set<string>();
  /** Commands of the turn that have not ended. */
  #commands = new Set<string>();
  /** Items of which parts have been printed. */
  #streamed = new Set<string>();

  constructor({ program, graceMs }: Options) {
    const { args } = program;
    this.#program = { ...program, args: args.includes(SERVER) ? args : [...args, SERVER] };
    this.#process = new KeptProcess({ graceMs, turn: this.#turn });
  }

  deliver(text: string, { mode, watcher, env }: { mode: Mode; watcher: Watcher; env: Record<string, string> }): Turn {
    const peer = this.#peer ?? this.#start(env);
    const member = this.#turn.await(watcher);
    // One after the other: what is to join a turn waits until Codex has named it.
    this.#given = this.#given
      .then(() => this.#give(text, { peer, member, joins: mode === 'steer' }))
      .catch((error: Error) =>
        this.#turn.drop(member, { status: 'failed', end_reason: 'error', error: error.message }),
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

  close(): Promise<void> {
    return this.#process.close();
  }

  pids(): number[] {
    return this.#process.pids();
  }

  #start(env: Record<string, string>): JsonRpcPeer {
    this.#process.start({ ...this.#program, env: { ...this.#program.env, ...env } }, () => {
      peer.close();
      this.#peer = undefined;
      this.#current = undefined;
      this.#busy.clear();
    });
    const peer = new JsonRpcPeer({
      send: (message) => this.#process.send(message),
      asked: (method, params, id) => this.#ask(method, params, id),
      told: (method, params) => {
        const { data } = ServerNotice.safeParse({ method, params });
        if (data !== undefined) this.#take(data);
      },
    });
    this.#peer = peer;
    this.#process.eachLine((line) => peer.read(line));
    this.#opened = this.#open(peer);
    // Whoever waits for it is told, and may begin to wait later.
    this.#opened.catch(() => {});
    return peer;
  }

  async #open(peer: JsonRpcPeer): Promise<void> {
    const clientInfo = { name: 'cairn', title: 'Cairn', version: '1' };
    await peer.ask('initialize', { clientInfo, capabilities: { experimentalApi: true, requestAttestation: false } });
    peer.tell('initialized');
    const { cwd } = this.#program;
    const start = () => peer.ask('thread/start', { cwd });
    const threadId = this.#thread;
    // A thread whose first turn was never written cannot go on.
    const opened =
      threadId === undefined ? start() : peer.ask('thread/resume', { threadId, cwd, excludeTurns: true }).catch(start);
    this.#thread = ThreadOpened.parse(await opened).thread.id;
  }

  async #give(text: string, { peer, member, joins }: Given): Promise<void> {
    await this.#opened;
    const input = [{ type: 'text', text, text_elements: [] }];
    const threadId = this.#thread;
    if (joins && this.#current !== undefined) {
      const joined = await peer
        .ask('turn/steer', { threadId, input, expectedTurnId: this.#current }, () => this.#turn.join(member))
        .then(() => true)
        // The turn has ended meanwhile, or takes nothing: then it gets one of its own.
        .catch(() => false);
      if (joined) return this.#turn.begin();
    }
    await this.#turn.free();
    if (member.isInterrupted) return this.#turn.drop(member, INTERRUPTED);
    this.#turn.join(member);
    this.#usedBefore = this.#used;
    this.#files.clear();
    this.#commands.clear();
    this.#streamed.clear();
    const started = peer.ask('turn/start', { threadId, input }, (answer) => {
      this.#current = TurnStarted.parse(answer).turn.id;
    });
    this.#turn.deliver(member);
    await started;
    if (member.isInterrupted) this.#interrupt();
  }

  #interrupt(): void {
    if (this.#current === undefined) return;
    const asked = this.#peer?.ask('turn/interrupt', { threadId: this.#thread, turnId: this.#current });
    // A turn that has ended by itself meanwhile cannot be interrupted.
    void asked?.then(() => this.#endCommands()).catch(() => {});
  }

  /** Codex lets a command go on in a terminal of its own when its turn is interrupted. */
  async #endCommands(): Promise<void> {
    if (this.#commands.size === 0) return;
    await this.#peer?.ask('thread/backgroundTerminals/clean', { threadId: this.#thread });
  }

  async #ask(method: string, params: unknown, id: string | number): Promise<unknown> {
    const withdrawn = new AbortController();
    this.#asked.set(id, withdrawn);
    try {
      return await replyTo(
        { method, params, files: (item) => this.#files.get(item) ?? [] },
        {
          ask: (question) => this.#turn.ask(question, withdrawn.signal),
          explain: (note) => this.#explain(note),
        },
      );
    } finally {
      this.#asked.delete(id);
    }
  }

  /** A refusal has no words in this protocol: they join the turn before it, and the model reads both. */
  #explain(note: string): void {
    const input = [{ type: 'text', text: note, text_elements: [] }];
    const steered = this.#peer?.ask('turn/steer', { threadId: this.#thread, input, expectedTurnId: this.#current });
    void steered?.catch(() => {});
  }

  #take(line: ServerNotice): void {
    if ('threadId' in line.params && line.params.threadId !== this.#thread) {
      this.#takeAside(line);
      return;
    }
    switch (line.method) {
      case 'turn/started':
        this.#current = line.params.turn.id;
        this.#turn.begin();
        break;
      case 'item/started':
        this.#begin(line.params.item);
        break;
      case 'item/agentMessage/delta':
        this.#streamed.add(line.params.itemId);
        this.#turn.say(line.params.delta);
        break;
      case 'item/commandExecution/outputDelta':
        this.#streamed.add(line.params.itemId);
        this.#turn.print('stdout', line.params.delta);
        break;
      case 'item/completed':
        this.#finish(line.params.item);
        break;
      case 'thread/tokenUsage/updated':
        this.#use(line.params.tokenUsage.total);
        break;
      case 'account/rateLimits/updated':
        this.#limits = line.params.rateLimits;
        break;
      case 'serverRequest/resolved':
        this.#asked.get(line.params.requestId)?.abort();
        break;
      default:
        this.#end(line.params.turn);
    }
  }

  /** Sub-agents have threads of their own. */
  #takeAside({ method, params }: ServerNotice): void {
    if (method === 'turn/started') this.#busy.add(params.threadId);
    else if (method === 'turn/completed') this.#busy.delete(params.threadId);
    else return;
    this.#work();
  }

  /** Asks for the name of a sub-agent, which its item does not have. */
  async #meet(threadId: string): Promise<void> {
    const read = async () => {
      const answer = await this.#peer?.ask('thread/read', { threadId, includeTurns: false });
      return SubagentRead.parse(answer).thread;
    };
    // One that cannot be read yet, or not at all, is at work nevertheless.
    const thread = await read()
      .catch(read)
      .catch(() => ({ id: threadId }));
    this.#subagents.set(threadId, nameOf(thread));
    this.#work();
  }

  #work(): void {
    this.#turn.works([...this.#busy].flatMap((id) => this.#subagents.get(id) ?? []));
  }

  #begin(item: Item): void {
    if (item.changes !== undefined) {
      const paths = item.changes.map(({ path }) => path);
      this.#files.set(item.id, paths);
    }
    if (item.type === 'commandExecution') this.#commands.add(item.id);
    this.#turn.print('stdout', shown(item));
  }

  /** Prints what came as a whole: what came in parts has been printed, but for the end of its last line. */
  #finish({ id, type, text = '', aggregatedOutput, tool, receiverThreadIds = [] }: Item): void {
    if (tool === 'spawnAgent') for (const thread of receiverThreadIds) void this.#meet(thread);
    const isStreamed = this.#streamed.delete(id);
    this.#commands.delete(id);
    if (type === 'agentMessage') this.#turn.say(isStreamed ? '\n' : `${text}\n`);
    else if (type === 'commandExecution' && !isStreamed) this.#turn.print('stdout', aggregatedOutput ?? '');
  }

  #use({ inputTokens, outputTokens }: { inputTokens: number; outputTokens: number }): void {
    this.#used = { in: inputTokens, out: outputTokens };
    const { in: before, out } = this.#usedBefore;
    // A thread that goes on in another process may count anew.
    this.#turn.use({ in: Math.max(0, inputTokens - before), out: Math.max(0, outputTokens - out) });
  }

  #end(turn: EndedTurn): void {
    this.#current = undefined;
    const { status, error } = turn;
    const limited = limitedBy(turn, this.#limits);
    if (limited !== undefined) this.#turn.end(limited);
    else if (status === 'completed') {
      this.#turn.end({ status: 'completed', end_reason: 'completed', result: this.#turn.said });
    } else if (status === 'interrupted') {
      this.#turn.end({ status: 'cancelled', end_reason: 'interrupted', result: this.#turn.said });
    } else this.#turn.end({ status: 'failed', end_reason: 'error', error: error?.message ?? `It is ${status}.` });
  }
}
