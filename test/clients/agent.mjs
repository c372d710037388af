// One conversation of a client with its model, from the model's side.
import { NOTHING } from './models/wire.mjs';

/** @typedef {import('./models/wire.mjs').Request} Request */
/** @typedef {import('./models/wire.mjs').Turn} Turn */
/** @typedef {{ request: Request, answer: (turn: Turn) => void }} Arrived */

export class Agent {
  /** All that reached the model, in order. @type {Request[]} */
  requests = [];
  #program;
  /** @type {Arrived[]} */
  #arrived = [];
  /** @type {((next: Arrived) => void) | undefined} */
  #awaited;
  #isOver = false;
  /** @type {Arrived | undefined} */
  #current;

  /** @param {import('./programs.mjs').Program} program */
  constructor(program) {
    this.#program = program;
  }

  /** @param {(agent: Agent) => Promise<void>} play */
  async play(play) {
    try {
      this.#current = await this.#next();
      await play(this);
    } finally {
      this.#isOver = true;
      for (const { answer } of [...(this.#current ? [this.#current] : []), ...this.#arrived]) answer(NOTHING);
    }
  }

  /** The turn that the play takes at a request. @param {Request} request @returns {Promise<Turn>} */
  take(request) {
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

  /** Calls a tool of Cairn, which it searches for first where the client hides it. @param {string} tool @param {object} [input] */
  async call(tool, input = {}) {
    const name = await this.find([tool]);
    const { results } = await this.#turn({ calls: [{ ...name, input }], say: '' });
    return results.at(-1) ?? { text: '', isError: true };
  }

  /** Calls a tool of the client's own. @param {string} name @param {object[]} inputs one a call, all at once */
  async callOwn(name, inputs) {
    const { results } = await this.#turn({ calls: inputs.map((input) => ({ name, input })), say: '' });
    return results.slice(-inputs.length);
  }

  /** Ends the turn; the client goes on with the next prompt, if it has one. @param {string} text */
  async say(text) {
    await this.#turn({ calls: [], say: text });
  }

  /** Searches for tools that the model was not given, all at once. Returns the name of the first. @param {string[]} tools */
  async find(tools) {
    const missing = tools.filter((tool) => this.#shown(tool) === undefined);
    const { search } = this.#program;
    if (missing.length > 0 && search !== undefined) {
      await this.#turn({ calls: [{ name: search.tool, input: search.input(missing) }], say: '' });
    }
    const name = this.#shown(tools[0] ?? '');
    if (name === undefined) throw new Error(`The model is shown no ${tools[0]}.`);
    return name;
  }

  /** Clients put the name of the server before that of the tool, in the name or in a namespace. @param {string} tool */
  #shown(tool) {
    const found = this.#current?.request.tools.find(
      ({ name, namespace = '' }) => /^mcp_+cairn_+(.+)$/.exec(`${namespace}${namespace && '_'}${name}`)?.[1] === tool,
    );
    return found && { name: found.name, namespace: found.namespace };
  }

  /** @param {Turn} turn */
  async #turn(turn) {
    const { answer } = this.#current ?? (await this.#next());
    const next = this.#next();
    answer(turn);
    this.#current = await next;
    return this.#current.request;
  }

  /** @returns {Promise<Arrived>} */
  #next() {
    this.#current = undefined;
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return Promise.resolve(arrived);
    return new Promise((resolve) => {
      this.#awaited = resolve;
    });
  }
}
