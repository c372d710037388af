import type pg from 'pg';
import { describe, expect } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { listCosts } from '../../src/services/costs.ts';
import { listModelPrices, setModelPrice } from '../../src/services/prices.ts';
import { getRunUse } from '../../src/services/run-trace.ts';
import { call, person } from '../support/calls.ts';
import { replay, verify } from '../support/commands.ts';
import { play, reportedBy, request, send, sentFor, stepsOf } from '../support/reports.ts';
import { begunRun } from '../support/runners.ts';
import { test } from '../support/world.ts';

describe('what runs cost', () => {
  test('is, to the micro-dollar, what a person reckons with the prices', async ({ as, sql }) => {
    // Dollars a million: in 3, cache read 0.3, cache written 3.75, out 15. The client itself says 122,416 micro-dollars,
    // rounded at each of its seven requests.
    const claude = ((224_784 - 210_028 - 14_028) * 3 + 210_028 * 0.3 + 14_028 * 3.75 + 308 * 15) / 1e6;
    await setPrice(sql, 'gpt-5.5', { price_in: 1.5, price_out: 12, price_cached: 0.15 });
    // What was written to the cache costs as what came in.
    const codex = ((353_331 - 330_077) * 1.5 + 330_077 * 0.15 + 517 * 12) / 1e6;

    for (const [agent, cost] of [
      ['claude', claude],
      ['codex', codex],
    ] as const) {
      const begun = await begunRun(as('ada'), agent);
      await play(as('ada'), begun, sentFor(begun.run, agent, await reportedBy(agent)));
      const { cost_usd = 0 } = await getRunUse(as('ada'), { run: begun.run });
      expect(Math.round(cost_usd * 1e6)).toBe(Math.round(cost * 1e6));
    }
  });

  test('of a model without a price is not guessed: its tokens are told', async ({ as }) => {
    const begun = await begunRun(as('ada'));
    await play(as('ada'), begun, sentFor(begun.run, 'gemini', await reportedBy('gemini')));

    const { total } = await listCosts(as('ada'), { by: 'model', page_size: 50 });

    expect(total).toMatchObject({ cost_usd: 0, tokens_unpriced: 391_482 + 676 });
  });

  test('stays when a price changes, and the next request has the new one', async ({ as, sql }) => {
    const begun = await begunRun(as('ada'));
    const tokens = { model: 'plover-2-latest', tokens_in: 1_000_000, tokens_out: 0 };
    await setPrice(sql, 'plover-2', { price_in: 3, price_out: 15, price_cached: 0.3 });
    await send(as('ada'), begun, { steps: [request(begun.run, 'a', tokens)] });

    await setPrice(sql, 'plover-2', { price_in: 4, price_out: 20, price_cached: 0.4 });
    await send(as('ada'), begun, { steps: [request(begun.run, 'a', tokens), request(begun.run, 'b', tokens)] });

    expect((await getRunUse(as('ada'), { run: begun.run })).cost_usd).toBe(3 + 4);
  });

  test('is added up by run, command, task, agent, model and day, each request once', async ({ as }) => {
    const first = await begunRun(as('ada'), 'heron-1');
    const second = await begunRun(as('ada'), 'heron-2');
    const tokens = { tokens_in: 1_000_000, tokens_out: 100_000 };
    await send(as('ada'), first, {
      steps: [
        request(first.run, 'a', { kind: 'response', name: 'turn', ...tokens }),
        request(first.run, 'b', { parent_span_id: 'a'.padStart(16, '0'), ...tokens }),
      ],
    });
    await send(as('ada'), second, { steps: [request(second.run, 'c', { ...tokens, model: 'claude-haiku-4-5' })] });

    for (const by of ['run', 'command', 'agent', 'model', 'day', 'task'] as const) {
      const { costs, total } = await listCosts(as('ada'), { by, page_size: 50 });
      const sums = costs.map(({ cost_usd }) => cost_usd);
      expect([by, sums]).toEqual([by, by === 'day' || by === 'task' ? [6] : [4.5, 1.5]]);
      expect([by, total]).toMatchObject([by, { runs: 2, requests: 2, tokens_in: 2_000_000, cost_usd: 6 }]);
    }
    const data = { status: 'completed', end_reason: 'completed', metrics: { waited_ms: 2_500 } };
    await first.runner.report(first.run, first.lock_token, [{ type: 'run.finished', data }]);
    const waited = await listCosts(as('ada'), { by: 'agent', page_size: 50 });
    expect(waited).toMatchObject({ total: { waited_ms: 2_500 }, costs: [{ waited_ms: 2_500 }, {}] });
  });

  test('counts once how long a run waited, of how many models and days it may be', async ({ as }) => {
    const begun = await begunRun(as('ada'));
    const models = ['claude-haiku-4-5', 'claude-sonnet-4-5'];
    const steps = models.map((model, at) => request(begun.run, String(at), { model, tokens_in: 10 }));
    await send(as('ada'), begun, { steps });
    const data = { status: 'completed', end_reason: 'completed', metrics: { waited_ms: 2_500 } };
    await begun.runner.report(begun.run, begun.lock_token, [{ type: 'run.finished', data }]);

    const { total, costs } = await listCosts(as('ada'), { by: 'model', page_size: 50 });

    expect(total.waited_ms).toBe(2_500);
    expect(costs.map(({ waited_ms }) => waited_ms ?? null)).toEqual([null, null]);
    const byAgent = await listCosts(as('ada'), { by: 'agent', page_size: 50 });
    expect(byAgent).toMatchObject({ total: { waited_ms: 2_500 }, costs: [{ waited_ms: 2_500 }] });
  });

  test('leaves no row where the day or the model of a request turned out to be another', async ({ as, sql }) => {
    const begun = await begunRun(as('ada'));
    const midnight = Date.now() - (Date.now() % 86_400_000);
    const step = request(begun.run, 'a', { started_at: new Date(midnight + 1).toISOString(), tokens_in: 10 });
    const { model: _, ...unnamed } = step;
    await send(as('ada'), begun, { steps: [unnamed] });

    await send(as('ada'), begun, { steps: [{ ...step, started_at: new Date(midnight - 1).toISOString() }] });

    expect((await sql.query('select requests from run_usage where run_id = $1', [begun.run])).rows).toHaveLength(1);
    expect((await listCosts(as('ada'), { by: 'day', page_size: 50 })).costs).toMatchObject([{ runs: 1, requests: 1 }]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is of the run, the project or the agent that is asked for, and says how much is not listed', async ({ as }) => {
    await call(as('ada'), 'create_project', { slug: 'web', name: 'Web' });
    const first = await begunRun(as('ada'), 'heron-1', 'web');
    const second = await begunRun(as('ada'), 'heron-2');
    const third = await begunRun(as('ada'), 'heron-3');
    for (const { run, lock_token } of [first, second]) {
      await send(as('ada'), { run, lock_token }, { steps: [request(run, 'a', { tokens_in: 10 })] });
    }
    const metrics = { tokens_in: 70, tokens_out: 7 };
    const data = { status: 'completed', end_reason: 'completed', metrics };
    await third.runner.report(third.run, third.lock_token, [{ type: 'run.finished', data }]);
    const keysOf = async (asked: object) =>
      (await listCosts(as('ada'), { by: 'agent', page_size: 50, ...asked })).costs.map(({ key }) => key);

    expect((await keysOf({})).toSorted()).toEqual(['heron-1', 'heron-2', 'heron-3']);
    expect(await keysOf({ project: 'web' })).toEqual(['heron-1']);
    expect(await keysOf({ run: second.run })).toEqual(['heron-2']);
    expect(await keysOf({ run: third.run })).toEqual(['heron-3']);
    expect(await keysOf({ run: second.run, project: 'web' })).toEqual([]);
    expect(await keysOf({ agent: 'heron-3' })).toEqual(['heron-3']);
    const cut = await listCosts(as('ada'), { by: 'agent', page_size: 1 });
    expect(cut).toMatchObject({ not_listed: 2, total: { runs: 3 }, costs: [{}] });
  });

  test('is nothing where no run has used anything', async ({ as }) => {
    expect(await listCosts(as('ada'), { by: 'day', page_size: 50 })).toMatchObject({ costs: [], total: { runs: 0 } });
  });

  test('of a run that reported nothing is what its runner counted', async ({ as }) => {
    const begun = await begunRun(as('ada'));
    const metrics = { tokens_in: 70, tokens_out: 7 };
    const data = { status: 'completed', end_reason: 'completed', metrics };
    await begun.runner.report(begun.run, begun.lock_token, [{ type: 'run.finished', data }]);

    const { costs } = await listCosts(as('ada'), { by: 'model', page_size: 50 });

    expect(costs).toMatchObject([{ key: 'not told', tokens_in: 70, tokens_out: 7, tokens_unpriced: 77 }]);
  });

  test('is recounted by verify and mended by replay', async ({ as, sql }) => {
    const begun = await begunRun(as('ada'));
    await send(as('ada'), begun, { steps: [request(begun.run, 'a', { tokens_in: 10, tokens_out: 1 })] });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });

    await sql.query('update run_usage set tokens_in = 77 where run_id = $1', [begun.run]);
    expect(await verify(as('ada'))).toMatchObject({ ok: false, difference: { table: 'run_usage', id: begun.run } });
    await replay(as('ada'));

    expect(await verify(as('ada'))).toMatchObject({ ok: true });
    expect((await getRunUse(as('ada'), { run: begun.run })).usage).toMatchObject([{ tokens_in: 10 }]);
  });
});

describe('the price of a model', () => {
  test('is set by who runs the server', async ({ as, people }) => {
    const { db } = as('ada');
    const price = { model: 'Stilt-1', price_in: 1, price_out: 2 };
    const identity = { issuer: 'local', subject: 'owner' };
    const actor = (await db.call('sign_in', { identity }, { user_id: newId() })) as typeof people.owner;
    const set = (given: object) => setModelPrice({ db, actor }, given as typeof price);

    await expect(setModelPrice(person(as('ada')), price)).rejects.toMatchObject({
      code: 'forbidden',
      message: 'Whoever runs the server says what models cost.',
    });
    const agent = setModelPrice({ db, actor: { ...actor, agent: 'ada' } }, price);
    await expect(agent).rejects.toMatchObject({ message: expect.stringContaining('not by an agent') });
    const limited = setModelPrice({ db, actor: { ...people.owner, project_id: newId() } }, price);
    await expect(limited).rejects.toMatchObject({ message: expect.stringContaining('limited to') });
    const stored = { model: 'stilt-1', price_in: 1, price_out: 2, price_cached: 1, price_cache_written: 1 };
    expect(await set(price)).toMatchObject(stored);
    expect((await listModelPrices(as('ada'), {})).prices).toContainEqual(expect.objectContaining(stored));
    await expect(set({ model: 'stilt-1', price_in: 1 })).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(set({ ...price, price_out: -1 })).rejects.toMatchObject({ code: 'invalid_input' });
    expect(await set({ model: 'stilt-1' })).toMatchObject({ ...stored, removed: true });
    await expect(set({ model: 'stilt-1' })).rejects.toMatchObject({ code: 'not_found' });
    expect(await set({ ...price, model: 'hosts/us-gov.anthropic.Stilt-1' })).toMatchObject(stored);
    await expect(set({ ...price, model: 'hosts/' })).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('of each model that Cairn came with is as listed', async ({ sql }) => {
    const listed: Record<string, [number, number] | undefined> = {
      'gpt-4.1': [2, 8],
      'gpt-4.1-mini-2025-04-14': [0.4, 1.6],
      'gpt-4.1-nano': [0.1, 0.4],
      'gpt-5-pro': [15, 120],
      'gpt-5.1-codex-mini': [0.25, 2],
      'o4-mini-deep-research': [2, 8],
      'claude-opus-4-20250514': [15, 75],
      'claude-opus-4-7': undefined,
      'claude-sonnet-4-5-20250929': [3, 15],
      'gemini-2.5-flash-image': undefined,
      'gemini-2.5-flash-preview-09-2025': [0.3, 2.5],
    };

    const { rows } = await sql.query<{ model: string; dollars: number[] | null }>(
      `select m.model, (select array[(p).price_in, (p).price_out]::float8[] from app.price_of(m.model) p) as dollars
       from unnest($1::text[]) m(model)`,
      [Object.keys(listed)],
    );

    expect(
      Object.fromEntries(rows.map(({ model, dollars }) => [model, dollars?.[0] === null ? undefined : dollars])),
    ).toEqual(listed);
  });

  test('is that of its name, whatever its version, and of no other of its family', async ({ as, sql }) => {
    await setPrice(sql, 'tern-5', { price_in: 1, price_out: 1, price_cached: 1 });
    await setPrice(sql, 'tern-5-mini', { price_in: 2, price_out: 2, price_cached: 2 });
    const begun = await begunRun(as('ada'));
    const versions = ['-20261001', '-2026-10-01', '-001', '-0613', '-v1', '-latest', '-preview', '-preview-09-2026'];
    const others = ['-pro', '-7', '-1', '-preview-tts', '-20261001-image', '.5', '0', '-mini-pro', '[1m]'];
    const costs = {
      'tern-5': 1,
      ...Object.fromEntries(versions.map((version) => [`tern-5${version}`, 1])),
      ...Object.fromEntries(others.map((other) => [`tern-5${other}`, undefined])),
      'Tern-5-20261001-v1:0': 1,
      'tern-5-mini-latest': 2,
      'hosts/tern-5:free': 1,
      'us.anthropic.tern-5@2': 1,
      'us-gov.anthropic.tern-5': 1,
      'profiles/eu.anthropic.tern-5': 1,
      'a-tern-5': undefined,
    };
    const steps = Object.keys(costs).map((model, at) =>
      request(begun.run, String(at), { model, tokens_in: 1_000_000, tokens_out: 0 }),
    );

    await send(as('ada'), begun, { steps });

    const found = await stepsOf(as('ada'), begun.run);
    expect(Object.fromEntries(found.map(({ model = '', cost_usd }) => [model, cost_usd]))).toEqual(costs);
  });
});

type Prices = { price_in: number; price_out: number; price_cached: number };

async function setPrice(sql: pg.Pool, model: string, { price_in, price_out, price_cached }: Prices): Promise<void> {
  await sql.query(
    `insert into model_prices values ($1, $2, $3, $4, $2, now(), 'ada')
     on conflict (model) do update set (price_in, price_out, price_cached) = ($2, $3, $4)`,
    [model, price_in, price_out, price_cached],
  );
}
