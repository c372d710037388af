// One conversation of a client with its model, from the model's side.
import { NOTHING, type Request, type ShownResult, type ShownTool, type Turn } from './models/wire.ts';
import type { Program } from './programs.ts';

type Arrived = { request: Request; answer: (turn: Turn) => void };

export class Agent {
  /** All that reached the model, in order. */
  requests: Request[] = [];
  readonly #program: Program;
  #arrived: Arrived[] = [];
  #awaited: ((next: Arrived) => void) | undefined;
  #isOver = false;
  #current: Arrived | undefined;

  constructor(program: Program) {
    this.#program = program;
  }

  /** What reached the model last. */
  get last(): Request {
    return this.requests.at(-1) ?? this.first;
  }

  /** The first that reached the model. */
  get first(): Request {
    const [first] = this.requests;
    if (first === undefined) throw new Error('Nothing has reached the model.');
    return first;
  }

  async play(play: (agent: Agent) => Promise<void>): Promise<void> {
    try {
      this.#current = await this.#next();
      await play(this);
    } finally {
      this.#isOver = true;
      for (const { answer } of [...(this.#current ? [this.#current] : []), ...this.#arrived]) answer(NOTHING);
    }
  }

  /** The turn that the play takes at a request. */
  take(request: Request): Promise<Turn> {
    this.requests.push(request);
    if (this.#isOver) return Promise.resolve(NOTHING);
    return new Promise((answer) => {
      const arrived = { request, answer };
      const awaited = this.#awaited;
      this.#awaited = undefined;
      if (awaited === undefined) this.#arrived.push(arrived);
      else awaited(arrived);
    });
  }

  /** Calls a tool of Cairn, which it searches for first where the client hides it. */
  async call(tool: string, input: object = {}): Promise<ShownResult> {
    const name = await this.find([tool]);
    const { results } = await this.#turn({ calls: [{ ...name, input }], say: '' });
    return results.at(-1) ?? { text: '', isError: true };
  }

  /** Calls a tool of the client's own, once for each of the inputs, all at once. */
  async callOwn(tool: string | ShownTool, inputs: object[]): Promise<ShownResult[]> {
    const shown = typeof tool === 'string' ? { name: tool } : tool;
    const { results } = await this.#turn({ calls: inputs.map((input) => ({ ...shown, input })), say: '' });
    return results.slice(-inputs.length);
  }

  /** Ends the turn; the client goes on with the next prompt, if it has one. */
  async say(text: string): Promise<void> {
    await this.#turn({ calls: [], say: text });
  }

  /** Its provider refuses this turn. Resolves when the client asks again. */
  async meetLimit(until: Date): Promise<void> {
    await this.#turn({ calls: [], say: '', refusedUntil: until });
  }

  /** Searches for tools that the model was not given, all at once. Returns the name of the first. */
  async find(tools: string[]): Promise<ShownTool> {
    const missing = tools.filter((tool) => this.#shown(tool) === undefined);
    const { search } = this.#program;
    if (missing.length > 0 && search !== undefined) {
      await this.#turn({ calls: [{ name: search.tool, input: search.input(missing) }], say: '' });
    }
    const name = this.#shown(tools[0] ?? '');
    if (name === undefined) throw new Error(`The model is shown no ${tools[0]}.`);
    return name;
  }

  /** Clients put the name of the server before that of the tool, in the name or in a namespace. */
  #shown(tool: string): ShownTool | undefined {
    const found = this.#current?.request.tools.find(
      ({ name, namespace = '' }) => /^mcp_+cairn_+(.+)$/.exec(`${namespace}${namespace && '_'}${name}`)?.[1] === tool,
    );
    return found && { name: found.name, ...(found.namespace !== undefined && { namespace: found.namespace }) };
  }

  async #turn(turn: Turn): Promise<Request> {
    const { answer } = this.#current ?? (await this.#next());
    const next = this.#next();
    answer(turn);
    this.#current = await next;
    return this.#current.request;
  }

  #next(): Promise<Arrived> {
    this.#current = undefined;
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return Promise.resolve(arrived);
    return new Promise((resolve) => {
      this.#awaited = resolve;
    });
  }
}
