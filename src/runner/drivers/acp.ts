import { Readable, Writable } from 'node:stream';
import {
  type ClientConnection,
  client,
  methods,
  type NewSessionRequest,
  ndJsonStream,
  PROTOCOL_VERSION,
  type PromptResponse,
  type RequestPermissionRequest,
  type RequestPermissionResponse,
  type SessionUpdate,
} from '@agentclientprotocol/sdk';
import type { Driver, Turn, Watcher } from '../driver.ts';
import type { Gate } from '../gate.ts';
import { KeptProcess } from '../kept-process.ts';
import type { Program } from '../process-group.ts';
import { INTERRUPTED, type Member, SharedTurn } from '../shared-turn.ts';
import { failureOf, questionOf, refusalOf, shown, tokensOf } from './acp-messages.ts';

type Options = { program: Program; graceMs: number };

// Who is refused, told so, and tries again and again, is not told for ever.
const TOLD_MAX = 3;

/** Drives any agent that speaks the Agent Client Protocol over its standard input: one process, one session. */
export function acpDriver(options: Options): Driver {
  const session = new AcpSession(options);
  return {
    path: 'Agent Client Protocol',
    modes: ['turn', 'interrupt'],
    open: async () => {},
    deliver: (text, how) => session.deliver(text, how),
    close: () => session.close(),
    pids: () => session.pids(),
  };
}

class AcpSession {
  readonly #program: Program;
  readonly #process: KeptProcess;
  readonly #turn = new SharedTurn();
  #connection: ClientConnection | undefined;
  #opened: Promise<void> = Promise.resolve();
  /** Goes on in another process where the agent can load it. */
  #session: string | undefined;
  /** What it said while it loaded the session has been printed before. */
  #isLoading = false;
  /** What its model has not been told yet: a refusal has no words in this protocol. */
  #untold: string[] = [];
  /** Of the prompts of this turn that have ended. */
  #usedBefore = { in: 0, out: 0 };
  #used = { in: 0, out: 0 };

  constructor({ program, graceMs }: Options) {
    this.#program = program;
    this.#process = new KeptProcess({ graceMs, turn: this.#turn });
  }

  deliver(text: string, { watcher, env }: { watcher: Watcher; env: Record<string, string> }): Turn {
    const connection = this.#connection ?? this.#start(env);
    const member = this.#turn.await(watcher);
    void this.#give(text, { connection, member }).catch((error: unknown) => {
      // Where the agent is gone, the end of its process says more.
      if (!connection.signal.aborted) this.#turn.drop(member, failureOf(error));
    });
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

  #start(env: Record<string, string>): ClientConnection {
    const { child } = this.#process.start({ ...this.#program, env: { ...this.#program.env, ...env } }, () => {
      connection.close();
      this.#connection = undefined;
    });
    const printed = Readable.toWeb(child.stdout) as ReadableStream<Uint8Array>;
    const stream = ndJsonStream(
      Writable.toWeb(child.stdin) as WritableStream<Uint8Array>,
      printed.pipeThrough(waitingAt(this.#program.gate)),
    );
    const connection = client({ name: 'cairn' })
      .onNotification(methods.client.session.update, ({ params }) => this.#take(params.update))
      .onRequest(methods.client.session.requestPermission, ({ params, signal }) => this.#ask(params, signal))
      .connect(stream);
    // An agent that has closed its side is of no more use.
    void connection.closed.then(() => this.#process.stop());
    this.#connection = connection;
    this.#opened = this.#open(connection);
    return connection;
  }

  async #open({ agent }: ClientConnection): Promise<void> {
    // Files and terminals are the agent's own: it works where it was started.
    const { agentCapabilities } = await agent.request(methods.agent.initialize, {
      protocolVersion: PROTOCOL_VERSION,
      clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
      clientInfo: { name: 'cairn', title: 'Cairn', version: '1' },
    });
    const where: NewSessionRequest = { cwd: this.#program.cwd, mcpServers: [] };
    if (this.#session !== undefined && agentCapabilities?.loadSession === true) {
      this.#isLoading = true;
      const isLoaded = await agent
        .request(methods.agent.session.load, { ...where, sessionId: this.#session })
        .then(() => true)
        .catch(() => false);
      this.#isLoading = false;
      if (isLoaded) return;
    }
    const { sessionId } = await agent.request(methods.agent.session.new, where);
    this.#session = sessionId;
  }

  async #give(text: string, { connection, member }: { connection: ClientConnection; member: Member }): Promise<void> {
    await this.#opened;
    const { agent } = connection;
    await this.#turn.free();
    if (member.isInterrupted) return this.#turn.drop(member, INTERRUPTED);
    this.#turn.join(member);
    this.#untold = [];
    this.#used = { in: 0, out: 0 };
    const ended = this.#prompt(agent, text);
    this.#turn.deliver(member);
    let response = await ended;
    for (let told = 0; told < TOLD_MAX && this.#untold.length > 0 && goesOn(response, member); told += 1) {
      response = await this.#prompt(agent, this.#untold.splice(0).join('\n\n'));
    }
    this.#end(response);
  }

  /** The words of a refusal are a prompt of the same turn. */
  async #prompt(agent: ClientConnection['agent'], text: string): Promise<PromptResponse> {
    this.#usedBefore = this.#used;
    const sessionId = this.#session ?? '';
    const response = await agent.request(methods.agent.session.prompt, { sessionId, prompt: [{ type: 'text', text }] });
    const tokens = tokensOf(response);
    if (tokens !== undefined) this.#use(tokens);
    return response;
  }

  #use(tokens: { in: number; out: number }): void {
    const { in: tokensIn, out: tokensOut } = this.#usedBefore;
    this.#used = { in: tokensIn + tokens.in, out: tokensOut + tokens.out };
    this.#turn.use(this.#used);
  }

  #interrupt(): void {
    if (this.#session === undefined || !this.#turn.isOpen) return;
    const told = this.#connection?.agent.notify(methods.agent.session.cancel, { sessionId: this.#session });
    void told?.catch(() => {});
  }

  #take(update: SessionUpdate): void {
    if (this.#isLoading) return;
    if (update.sessionUpdate !== 'available_commands_update') this.#turn.begin();
    if (update.sessionUpdate === 'agent_message_chunk') this.#turn.say(shown(update));
    else this.#turn.print('stdout', shown(update));
    // The context is what a request takes in at least; the turn's own count comes at its end.
    if (update.sessionUpdate === 'usage_update') this.#use({ in: update.used, out: 0 });
  }

  async #ask(asked: RequestPermissionRequest, signal: AbortSignal): Promise<RequestPermissionResponse> {
    this.#turn.begin();
    const question = questionOf(asked);
    const answer = await this.#turn.ask(question, signal);
    if (answer?.decision === 'denied') this.#untold.push(refusalOf(question, answer));
    const kinds = answer?.decision === 'approved' ? ['allow_once', 'allow_always'] : ['reject_once', 'reject_always'];
    const chosen =
      asked.options.find(({ name, kind }) => name === answer?.answer && kinds.includes(kind)) ??
      kinds.map((kind) => asked.options.find((option) => option.kind === kind)).find((option) => option);
    // An agent that names no refusal takes the end of the turn for one.
    if (answer === undefined || chosen === undefined) return { outcome: { outcome: 'cancelled' } };
    return { outcome: { outcome: 'selected', optionId: chosen.optionId } };
  }

  #end(response: PromptResponse): void {
    const result = this.#turn.said;
    const { stopReason } = response;
    if (stopReason === 'end_turn') this.#turn.end({ status: 'completed', end_reason: 'completed', result });
    else if (stopReason === 'cancelled') this.#turn.end({ status: 'cancelled', end_reason: 'interrupted', result });
    else this.#turn.end({ status: 'failed', end_reason: 'error', error: `It ended with ${stopReason}.`, result });
  }
}

/** A stream of the web lets its program go on whenever it is read, also while the gate is closed: it is read through this. */
function waitingAt(gate: Gate | undefined): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    async transform(bytes, controller) {
      await gate?.opened;
      controller.enqueue(bytes);
    },
  });
}

/** Tells whether the agent takes another prompt in the turn: some end it where they are refused. */
function goesOn({ stopReason }: PromptResponse, { isInterrupted }: Member): boolean {
  return !isInterrupted && (stopReason === 'end_turn' || stopReason === 'cancelled');
}
