// A second, much simpler statement of the core's promises about tasks: in memory, one command after the other.

export type Agent = 'ada' | 'bob' | 'cyd';
type Holder = { agent: Agent; token: number; expires: number; ttl: number };
export type ModelTask = {
  number: number;
  priority: number;
  status: 'pending' | 'in_progress' | 'blocked' | 'completed' | 'cancelled';
  dependencies: number[];
  blockedBy: number | null;
  holder: Holder | null;
};

export type Command =
  | { do: 'create'; agent: Agent; on: number[]; priority: number }
  | { do: 'claim'; agent: Agent; task: number; ttl: number; takeOver: boolean }
  | { do: 'claim_next'; agent: Agent; ttl: number }
  | { do: 'extend'; agent: Agent; task: number }
  | { do: 'release' | 'complete' | 'cancel' | 'block'; agent: Agent; task: number; withToken: boolean }
  | { do: 'note'; agent: Agent; task: number; withToken: boolean }
  | { do: 'reopen' | 'unblock'; agent: Agent; task: number }
  | { do: 'depend'; agent: Agent; task: number; add: number[]; remove: number[] }
  | { do: 'wait'; seconds: number };

/** `ok`, `nothing` (no task is ready), or the code of the refusal. */
export type Verdict = string;

// Two agents of one user, and one of another user in the same workspace.
const USERS: Record<Agent, string> = { ada: 'owner', bob: 'owner', cyd: 'member' };
const MOVES: Record<string, { from: ModelTask['status'][]; to: ModelTask['status'] }> = {
  release: { from: ['in_progress'], to: 'pending' },
  complete: { from: ['in_progress'], to: 'completed' },
  cancel: { from: ['pending', 'in_progress', 'blocked'], to: 'cancelled' },
  block: { from: ['pending', 'in_progress'], to: 'blocked' },
  unblock: { from: ['blocked'], to: 'pending' },
  reopen: { from: ['completed', 'cancelled'], to: 'pending' },
};

export class Model {
  tasks: ModelTask[] = [];
  now = 0;
  /** The last token that an agent got for a task, lost or not. */
  readonly tokens = new Map<string, number>();
  /** The claims that a holder has ended; it may repeat that. */
  readonly #ended = new Set<string>();

  /** The task that a number of the generated commands means. */
  pick(number: number): ModelTask | undefined {
    return this.tasks[number % Math.max(this.tasks.length, 1)];
  }

  tokenOf(agent: Agent, task: ModelTask): number {
    return this.tokens.get(`${agent} ${task.number}`) ?? 1;
  }

  isReady(task: ModelTask): boolean {
    const open = task.dependencies.filter((number) => this.#at(number).status !== 'completed');
    return task.status === 'pending' && open.length === 0;
  }

  create({ on, priority }: Extract<Command, { do: 'create' }>): Verdict {
    const dependencies = this.#numbers(on);
    if (dependencies.some((number) => this.#at(number).status === 'cancelled')) return 'invalid_input';
    const number = this.tasks.length + 1;
    this.tasks.push({ number, priority, status: 'pending', dependencies, blockedBy: null, holder: null });
    return 'ok';
  }

  claim({ agent, task: number, takeOver }: Extract<Command, { do: 'claim' }>): Verdict {
    const task = this.pick(number);
    if (task === undefined) return 'not_found';
    if (task.holder !== null && !this.#hasLapsed(task)) {
      return takeOver && USERS[task.holder.agent] === USERS[agent] ? 'ok' : 'lock_held';
    }
    return task.status === 'in_progress' || this.isReady(task) ? 'ok' : 'illegal_transition';
  }

  /** The task that is claimed next: by priority, then by age. */
  next(): ModelTask | undefined {
    return this.tasks
      .filter((task) => this.isReady(task) || this.#hasLapsed(task))
      .sort((a, b) => a.priority - b.priority || a.number - b.number)[0];
  }

  /** Applies a successful claim; the database chose its token. */
  hold(task: ModelTask, agent: Agent, { token, ttl }: { token: number; ttl: number }): void {
    task.status = 'in_progress';
    task.holder = { agent, token, ttl, expires: this.now + ttl };
    this.tokens.set(`${agent} ${task.number}`, token);
  }

  extend({ agent, task: number }: Extract<Command, { do: 'extend' }>): Verdict {
    const task = this.pick(number);
    if (task === undefined) return 'not_found';
    if (!this.#holds(agent, task)) return 'lock_lost';
    if (task.holder) task.holder.expires = this.now + task.holder.ttl;
    return 'ok';
  }

  /** Anybody may leave a note; who names a live token extends the lease by it. */
  note({ agent, task: number, withToken }: Extract<Command, { do: 'note' }>): Verdict {
    const task = this.pick(number);
    if (task === undefined) return 'not_found';
    if (!withToken) return 'ok';
    if (!this.#holds(agent, task)) return 'lock_lost';
    if (task.holder) task.holder.expires = Math.max(task.holder.expires, this.now + task.holder.ttl);
    return 'ok';
  }

  end(command: Exclude<Extract<Command, { withToken: boolean }>, { do: 'note' }>): Verdict {
    const { agent, withToken } = command;
    const task = this.pick(command.task);
    if (task === undefined) return 'not_found';
    const end = `${command.do} ${agent} ${task.number} ${this.tokenOf(agent, task)}`;
    if (withToken && task.status !== 'in_progress' && this.#ended.has(end)) return 'ok';
    if (withToken && !this.#holds(agent, task)) return 'lock_lost';
    if (!withToken && task.holder !== null && !this.#hasLapsed(task)) return 'lock_held';
    const needsToken = command.do === 'release' || command.do === 'complete';
    if (!withToken && needsToken && task.holder !== null) return 'lock_lost';
    const token = task.holder?.token;
    const verdict = this.#move(task, command.do);
    if (verdict === 'ok' && needsToken) this.#ended.add(`${command.do} ${agent} ${task.number} ${token}`);
    return verdict;
  }

  change(command: { do: string; task: number }): Verdict {
    const task = this.pick(command.task);
    return task === undefined ? 'not_found' : this.#move(task, command.do);
  }

  depend({ task: number, add, remove }: Extract<Command, { do: 'depend' }>): Verdict {
    const task = this.pick(number);
    if (task === undefined) return 'not_found';
    const [added, removed] = [this.#numbers(add), this.#numbers(remove)];
    if (['completed', 'cancelled'].includes(task.status)) return 'illegal_transition';
    if (added.some((other) => this.#at(other).status === 'cancelled')) return 'invalid_input';
    if (this.#reach(added).has(task.number)) return 'dependency_cycle';
    const added_new = added.filter((other) => !task.dependencies.includes(other));
    task.dependencies = [...task.dependencies.filter((other) => !removed.includes(other)), ...added_new];
    if (task.blockedBy !== null && removed.includes(task.blockedBy)) this.#settle(task, 'pending');
    return 'ok';
  }

  #move(task: ModelTask, name: string): Verdict {
    const move = MOVES[name];
    if (!move?.from.includes(task.status)) return 'illegal_transition';
    this.#settle(task, move.to);
    const dependents = this.tasks.filter((other) => other.dependencies.includes(task.number));
    for (const dependent of dependents) {
      if (name === 'cancel' && dependent.status === 'pending') {
        this.#settle(dependent, 'blocked');
        dependent.blockedBy = task.number;
      } else if (name === 'reopen' && dependent.blockedBy === task.number) {
        this.#settle(dependent, 'pending');
      }
    }
    return 'ok';
  }

  #settle(task: ModelTask, status: ModelTask['status']): void {
    task.status = status;
    task.holder = null;
    task.blockedBy = null;
  }

  #reach(from: number[]): Set<number> {
    const reached = new Set(from);
    for (const number of reached) for (const next of this.#at(number).dependencies) reached.add(next);
    return reached;
  }

  #holds(agent: Agent, task: ModelTask): boolean {
    return task.holder !== null && task.holder.token === this.tokenOf(agent, task) && !this.#hasLapsed(task);
  }

  #hasLapsed(task: ModelTask): boolean {
    return task.holder !== null && task.holder.expires <= this.now;
  }

  #numbers(picks: number[]): number[] {
    return [...new Set(picks.flatMap((pick) => this.pick(pick)?.number ?? []))];
  }

  #at(number: number): ModelTask {
    return this.tasks[number - 1] as ModelTask;
  }
}
