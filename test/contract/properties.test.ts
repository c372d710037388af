import fc from 'fast-check';
import type pg from 'pg';
import { expect } from 'vitest';
import {
  append,
  type Caller,
  claim,
  createProject,
  createTask,
  exportAll,
  importAll,
  verify,
} from '../support/commands.ts';
import type { Engine } from '../support/engine.ts';
import { type Agent, type Command, Model, type ModelTask, type Verdict } from '../support/model.ts';
import { hashTables } from '../support/rows.ts';
import { setSameClock } from '../support/same-clock.ts';
import { test } from '../support/world.ts';

const { CAIRN_TEST_ENGINE: engineName, CAIRN_TEST_PG: major } = process.env;
// Every engine and version runs some; the oldest and the bundled PostgreSQL search for what breaks.
const RUNS = engineName === undefined && (major === undefined || major === '15') ? 32 : 8;
const PRIORITIES = ['critical', 'high', 'medium', 'low'];

const agent = fc.constantFrom<Agent>('ada', 'bob', 'cyd');
const task = fc.nat({ max: 9 });
const some = fc.array(task, { maxLength: 2 });
const ttl = fc.constantFrom(50, 150, 3650);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('create'), agent, on: some, priority: fc.nat({ max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('claim'), agent, task, ttl, takeOver: fc.boolean() }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('claim_next'), agent, ttl }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('extend'), agent, task }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('release', 'complete', 'complete', 'cancel', 'block'),
      agent,
      task,
      withToken: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('note'), agent, task, withToken: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('reopen', 'unblock'), agent, task }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('depend'), agent, task, add: some, remove: some }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait'), seconds: fc.constant(100) }) },
) as fc.Arbitrary<Command>;

/** The same workspace twice: in the database, and in the model. */
class Pair {
  readonly model = new Model();
  #claimed: { task: ModelTask; token: number } | null = null;
  /** The tables' hashes, where the last command was refused. */
  #unchanged: object[] | null = null;
  readonly #engine: Engine;
  readonly #sql: pg.Pool;
  readonly #callers: Record<Agent, Caller>;
  readonly tenant: string;

  private constructor(engine: Engine, sql: pg.Pool, callers: Record<Agent, Caller>) {
    this.#engine = engine;
    this.#sql = sql;
    this.#callers = callers;
    this.tenant = callers.ada.actor.tenant_id as string;
  }

  static async start(engine: Engine, sql: pg.Pool): Promise<Pair> {
    const [owner, member] = [await engine.signIn('owner'), await engine.signIn('member')];
    const { tenant_id } = owner.actor;
    await sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'member')`, [
      tenant_id,
      member.actor.user_id,
    ]);
    const as = ({ db, actor }: Caller, agent: Agent) => ({ db, actor: { ...actor, tenant_id, agent, client: 'test' } });
    const callers = { ada: as(owner, 'ada'), bob: as(owner, 'bob'), cyd: as(member, 'cyd') };
    await createProject(callers.ada);
    return new Pair(engine, sql, callers);
  }

  /** Runs the command on both sides; they must agree on what happens. A refusal leaves no trace. */
  async run(next: Command): Promise<void> {
    const before = this.#unchanged ?? (await hashTables(this.#sql, this.tenant));
    const held = this.model.tasks.map((each) => each.holder?.token);
    const verdict = await this.#inDatabase(next);
    expect([next, verdict]).toEqual([next, this.#inModel(next, held)]);
    const refused = verdict !== 'ok' && verdict !== 'wait';
    if (refused) expect([next, await hashTables(this.#sql, this.tenant)]).toEqual([next, before]);
    this.#unchanged = refused ? before : null;
  }

  async #inDatabase(next: Command): Promise<Verdict> {
    if (next.do === 'wait') {
      await this.#sql.query(
        `insert into app.test_clock as clock values ($1, make_interval(secs => $2))
           on conflict (tenant_id) do update set ahead = clock.ahead + excluded.ahead`,
        [this.tenant, next.seconds],
      );
      return 'wait';
    }
    try {
      return await this.#send(next, this.#callers[next.agent]);
    } catch (error) {
      return (error as { code: string }).code;
    }
  }

  async #send(next: Exclude<Command, { do: 'wait' }>, who: Caller): Promise<Verdict> {
    this.#claimed = null;
    if (next.do === 'create') {
      await createTask(who, { dependencies: this.#refs(next.on), priority: PRIORITIES[next.priority] });
      return 'ok';
    }
    const picked = 'task' in next ? this.model.pick(next.task) : undefined;
    const ref = `web-${picked?.number ?? 0}`;
    if (next.do === 'claim' || next.do === 'claim_next') {
      const args = next.do === 'claim' ? { task: ref, take_over: next.takeOver } : {};
      const { task: got } = await claim(who, { ...args, ttl_seconds: next.ttl });
      if (got === undefined) return 'nothing';
      const number = Number(got.ref.split('-')[1]);
      this.#claimed = { task: this.model.tasks[number - 1] as ModelTask, token: got.lock_token };
      return 'ok';
    }
    const lock_token = picked ? this.model.tokenOf(next.agent, picked) : 1;
    if (next.do === 'extend') {
      await who.db.call('extend_lock', { task: ref, lock_token, ttl_seconds: picked?.holder?.ttl ?? 50 }, who.actor);
      return 'ok';
    }
    const expectation = 'withToken' in next && next.withToken ? { expect: { lock_token } } : {};
    await append(who, [{ stream: `task:${ref}`, ...this.#event(next), ...expectation }]);
    return 'ok';
  }

  #event(next: Command): { type: string; data: object } {
    const reason = 'Because.';
    if (next.do === 'release') return { type: 'task.released', data: { outcome: 'paused', reason } };
    if (next.do === 'complete') return { type: 'task.completed', data: {} };
    if (next.do === 'cancel') return { type: 'task.cancelled', data: { reason } };
    if (next.do === 'block') return { type: 'task.blocked', data: { reason } };
    if (next.do === 'reopen') return { type: 'task.reopened', data: { reason } };
    if (next.do === 'unblock') return { type: 'task.unblocked', data: {} };
    if (next.do === 'note') return { type: 'task.noted', data: { text: reason, kind: 'note' } };
    const { add = [], remove = [] } = next as Partial<Extract<Command, { do: 'depend' }>>;
    return { type: 'task.dependencies_changed', data: { add: this.#refs(add), remove: this.#refs(remove) } };
  }

  #inModel(next: Command, held: (number | undefined)[]): Verdict {
    const { model } = this;
    if (next.do === 'wait') model.now += next.seconds;
    if (next.do === 'wait') return 'wait';
    if (next.do === 'create') return model.create(next);
    if (next.do === 'extend') return model.extend(next);
    if (next.do === 'depend') return model.depend(next);
    if (next.do === 'note') return model.note(next);
    if ('withToken' in next) return model.end(next);
    if ('ttl' in next) return this.#claimInModel(next, held);
    return model.change(next);
  }

  #claimInModel(next: Extract<Command, { ttl: number }>, held: (number | undefined)[]): Verdict {
    const expected = next.do === 'claim' ? this.model.pick(next.task) : this.model.next();
    const verdict = next.do === 'claim' ? this.model.claim(next) : expected ? 'ok' : 'nothing';
    if (verdict === 'ok' && this.#claimed && expected) {
      expect([next, this.#claimed.task.number]).toEqual([next, expected.number]);
      // Tokens only grow.
      expect(this.#claimed.token).toBeGreaterThan(held[expected.number - 1] ?? 0);
      this.model.hold(expected, next.agent, { token: this.#claimed.token, ttl: next.ttl });
    }
    return verdict;
  }

  #refs(picks: number[]): string[] {
    return [...new Set(picks.flatMap((pick) => this.model.pick(pick)?.number ?? []))].map((number) => `web-${number}`);
  }

  /** Imports the whole history into another user's workspace. */
  async move(): Promise<void> {
    const elsewhere = await this.#engine.signIn('elsewhere');
    await setSameClock(this.#sql, { from: this.tenant, to: elsewhere.actor.tenant_id });
    await importAll(elsewhere, await exportAll(this.#callers.ada, null, 1_000));
    expect((await verify(elsewhere)).difference).toBeUndefined();
  }

  /** Checks the invariants of any workspace, and compares it with the model. */
  async check(): Promise<void> {
    const { rows } = await this.#sql.query(
      `select t.number, t.status, t.lock_token::int as token, t.locked_by as agent, t.open_dependencies,
         array(select d.number from public.tasks d where d.tenant_id = t.tenant_id and d.id = any (t.dependencies)) as dependencies
       from public.tasks t where t.tenant_id = $1 order by t.number`,
      [this.tenant],
    );
    const { model } = this;
    expect(rows).toEqual(
      model.tasks.map(({ number, status, holder, dependencies }) => ({
        number,
        status,
        token: holder?.token ?? null,
        agent: holder?.agent ?? null,
        open_dependencies: dependencies.filter((other) => model.tasks[other - 1]?.status !== 'completed').length,
        dependencies: expect.toSatisfy((found: number[]) => `${found.sort()}` === `${[...dependencies].sort()}`),
      })),
    );
    const { rows: broken } = await this.#sql.query(INVARIANTS, [this.tenant]);
    expect(broken).toEqual([]);
    expect(await verify(this.#callers.ada)).toMatchObject({ ok: true });
  }
}

// One row for each thing that is wrong: a cycle, a gap in positions or versions, a lease that nobody holds.
const INVARIANTS = `
  with recursive own as (select * from public.tasks where tenant_id = $1),
  reach (task, other) as (
    select t.id, d from own t, unnest(t.dependencies) d
    union select r.task, d from reach r join own t on t.id = r.other, unnest(t.dependencies) d),
  log as (
    select e.stream, e.seq, e.version, row_number() over (order by e.seq) as place, row_number() over (partition by e.stream order by e.seq) as turn
    from public.events e where e.tenant_id = $1)
  select 'cycle' as wrong, task::text as what from reach where task = other
  union all select 'position', seq::text from log where seq <> place
  union all select 'version', stream || ' ' || version from log where version <> turn
  union all select 'last position', p.seq::text from app.positions p where p.tenant_id = $1 and p.seq <> (select count(*) from log)
  union all select 'lease', l.id::text from public.leases l left join own t on t.id = l.id and t.lock_token = l.token
    where l.tenant_id = $1 and t.id is null
  union all select 'lock', t.id::text from own t left join public.leases l on l.tenant_id = $1 and l.kind = 'task' and l.id = t.id
    where t.status = 'in_progress' and l.id is null`;

test('whatever agents do, in any order, the invariants hold and a refusal changes nothing', {
  timeout: 120_000,
}, async ({ engine, sql }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 15, maxLength: 45 }), async (commands) => {
      const pair = await Pair.start(engine, sql);
      for (const next of commands) await pair.run(next);
      await pair.check();
    }),
    { numRuns: RUNS, endOnFailure: false },
  );
});

test('whatever agents did, in any order, is taken by another workspace', { timeout: 120_000 }, async ({
  engine,
  sql,
}) => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 15, maxLength: 45 }), async (commands) => {
      const pair = await Pair.start(engine, sql);
      for (const next of commands) await pair.run(next);
      await pair.move();
    }),
    { numRuns: RUNS / 4, endOnFailure: false },
  );
});
