import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { append, type Caller, createProject, record, verify } from '../support/commands.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

// A category that is declared by one line, after everything else, on a database that is in use.

const CHAPTER = `
  create table public.pelicans (
    tenant_id uuid not null,
    id uuid not null,
    project_id uuid,
    user_id uuid not null references public.users,
    name text not null,
    fed integer not null default 0,
    visits integer not null default 0,
    version bigint not null,
    primary key (tenant_id, id)
  );
  create function app.evolve_pelican(pelican public.pelicans, event public.events) returns public.pelicans
    language plpgsql immutable as $$
  begin
    if event.event_type = 'pelican.hatched' then
      pelican.tenant_id := event.tenant_id;
      pelican.id := app.stream_id(event.stream);
      pelican.project_id := event.project_id;
      pelican.user_id := event.user_id;
      pelican.name := event.payload ->> 'name';
    end if;
    pelican.fed := coalesce(pelican.fed, 0) + coalesce((event.payload ->> 'fish')::integer, 0);
    pelican.visits := coalesce(pelican.visits, 0);
    pelican.version := event.version;
    return pelican;
  end $$;
  create function app.guard_pelican(pelican public.pelicans, event public.events, role text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
  begin
    if (event.payload ->> 'fish')::integer > 3 then
      perform app.fail('forbidden', format('%s has had enough of the %s.', pelican.name, role));
    end if;
  end $$;
  create function app.pelican_text(pelican public.pelicans) returns text language sql stable as
    $$ select pelican.name $$;
  create function app.found_pelican(pelican public.pelicans) returns jsonb language sql stable as
    $$ select jsonb_build_object('title', pelican.name, 'at', now(), 'body', pelican.name) $$;
  select app.declare_event('pelican.hatched', 'creates', 'project:ref:80', 'name!:line:80');
  select app.declare_event('pelican.fed', 'fish!:integer:9');
  select app.declare_event('pelican.weighed', 'verb_only');
  select app.define_category('pelican', 'pelicans', kept => '{visits}');
  select app.secure_functions();`;

let scratch: Scratch;
let ada: Caller;
let bob: Caller;
let pelican: string;

beforeAll(async () => {
  scratch = await createScratch();
  [ada, bob] = [await scratch.signIn('ada'), await scratch.signIn('bob')];
  await createProject(ada);
  await scratch.sql.query(CHAPTER);
  pelican = await hatch({ name: 'Percy the brown' });
});
afterAll(() => scratch.drop());

async function hatch(data: object): Promise<string> {
  const id = newId();
  await record(ada, { stream: `pelican:${id}`, type: 'pelican.hatched', data });
  return id;
}

const fed = (id: string, fish = 1) => ({ stream: `pelican:${id}`, type: 'pelican.fed', data: { fish } });

describe('a category that was declared', () => {
  test('takes its events, and answers with its row', async () => {
    const { state, version } = await record(ada, fed(pelican, 2));

    expect([state, version]).toMatchObject([{ id: pelican, name: 'Percy the brown', fed: 2 }, 2]);
  });

  test('belongs to the workspace where it names no project, and to a project where it names one', async () => {
    const inProject = await record(ada, {
      stream: `pelican:${newId()}`,
      type: 'pelican.hatched',
      data: { name: 'Polly', project: 'web' },
    });

    expect(inProject.state).toMatchObject({ project_id: expect.any(String) });
    const { rows } = await scratch.sql.query('select project_id from public.pelicans where id = $1', [pelican]);
    expect(rows).toEqual([{ project_id: null }]);
  });

  test('refuses to create what is there, to change what is not, and what its guard refuses', async () => {
    const again = { stream: `pelican:${pelican}`, type: 'pelican.hatched', data: { name: 'x' } };

    await expect(record(ada, again)).rejects.toMatchObject({ code: 'already_exists' });
    await expect(record(ada, fed(newId()))).rejects.toMatchObject({
      code: 'not_found',
      hint: 'list_pelicans shows the ids.',
    });
    await expect(record(ada, fed(pelican, 9))).rejects.toMatchObject({
      code: 'forbidden',
      message: 'Percy the brown has had enough of the owner.',
    });
  });

  test('refuses events of a project that is archived', async () => {
    await createProject(ada, { slug: 'old' });
    const id = await hatch({ name: 'Pia', project: 'old' });
    await record(ada, { stream: 'project:old', type: 'project.archived' });

    await expect(record(ada, fed(id))).rejects.toMatchObject({ code: 'illegal_transition' });
  });

  test('refuses what only a verb records at the door, and takes it from one', async () => {
    const weighed = { stream: `pelican:${pelican}`, type: 'pelican.weighed', data: {} };

    await expect(record(ada, weighed)).rejects.toMatchObject({
      code: 'forbidden',
      message: 'pelican.weighed is recorded by Cairn itself, not by callers.',
    });
    await expect(append(ada, [{ ...weighed, verb: true } as never])).rejects.toMatchObject({ code: 'invalid_input' });
    await scratch.sql.query(`
      create function public.weigh(pelican uuid, actor jsonb) returns jsonb language plpgsql security definer
        set search_path = pg_catalog, pg_temp as $$
      begin
        return app.append_checked(jsonb_build_array(jsonb_build_object('verb', true,
          'stream', 'pelican:' || pelican, 'type', 'pelican.weighed')), app.authenticate(actor, 'member'));
      end $$;
      select app.secure_functions();`);
    const { rows } = await scratch.sql.query('select public.weigh($1, $2) as answer', [pelican, ada.actor]);
    expect(rows[0].answer.events).toMatchObject([{ type: 'pelican.weighed' }]);
  });

  test('is found by search, and awaited by rules', async () => {
    const found = await ada.db.call('search', { query: 'brown', kinds: ['pelican'] }, ada.actor);
    const rules = { triggers: [{ on: 'pelican.fed', do: { enqueue: { topic: 'fed' } } }] };
    await createProject(ada, { slug: 'zoo', rules });
    const id = await hatch({ name: 'Pam', project: 'zoo' });

    const { followed } = await append(ada, [fed(id)]);

    expect(found).toMatchObject({ hits: [{ kind: 'pelican', id: pelican }] });
    expect(followed).toMatchObject([{ type: 'message.enqueued' }]);
  });

  test('is verified and replayed; columns that are kept are not compared', async () => {
    await scratch.sql.query(`update public.pelicans set visits = 7 where id = $1`, [pelican]);
    expect(await verify(ada)).toMatchObject({ ok: true });
    await scratch.sql.query(`update public.pelicans set name = 'Forged', fed = 99 where id = $1`, [pelican]);
    expect(await verify(ada)).toMatchObject({ ok: false, difference: { table: 'pelicans', id: pelican } });

    await ada.db.call('replay_events', {}, ada.actor);

    expect(await verify(ada)).toMatchObject({ ok: true });
    const { rows } = await scratch.sql.query('select name, visits from public.pelicans where id = $1', [pelican]);
    expect(rows).toEqual([{ name: 'Percy the brown', visits: 7 }]);
  });

  test('is held to its workspace, by row level security too', async () => {
    await expect(record(bob, fed(pelican))).rejects.toMatchObject({ code: 'not_found' });
    const { rows } = await scratch.sql.query(
      `select c.relforcerowsecurity as forced, array(select p.polname::text from pg_policy p where p.polrelid = c.oid order by 1) as policies,
         has_table_privilege('authenticated', c.oid, 'insert') as written
       from pg_class c where c.oid = 'public.pelicans'::regclass`,
    );
    expect(rows).toEqual([
      {
        forced: true,
        policies: ['door', 'own_delete', 'own_insert', 'own_select', 'own_update', 'reach'],
        written: false,
      },
    ]);
  });

  test('is declared twice without a change', async () => {
    const state = `select array(select (m.*)::text from app.read_models m order by 1) as models,
      (select prosrc from pg_proc where proname = 'apply_pelican') as apply`;
    const before = await scratch.sql.query(state);

    await scratch.sql.query(`select app.define_category('pelican', 'pelicans', kept => '{visits}')`);

    expect((await scratch.sql.query(state)).rows).toEqual(before.rows);
  });
});

test.for([true, false])(
  'a category runs what it brings when a row is written, searched or not: %s',
  async (searched) => {
    await scratch.sql.query('begin');
    try {
      await scratch.sql.query(`
      create function app.finish_pelican(pelican public.pelicans) returns void language sql as $$ select $$;`);

      await scratch.sql.query(`select app.define_category('pelican', 'pelicans', searched => ${searched})`);

      const { rows } = await scratch.sql.query(`select prosrc from pg_proc where proname = 'apply_pelican'`);
      expect(rows[0].prosrc).toContain('perform app.finish_pelican(v_row);');
    } finally {
      await scratch.sql.query('rollback');
    }
  },
);

test('a category whose name is no word is refused when it is declared', async () => {
  const declared = scratch.sql.query(`select app.define_category('brown pelican', 'pelicans')`);

  await expect(declared).rejects.toThrow('A category is one word of lower-case letters, not brown pelican.');
});

test('a guard that takes what a category cannot give is refused when it is declared', async () => {
  await scratch.sql.query('begin');
  try {
    await scratch.sql.query(`
      drop function app.guard_pelican;
      create function app.guard_pelican(pelican public.pelicans, weather text) returns void language sql as
        $$ select $$;`);

    const declared = scratch.sql.query(`select app.define_category('pelican', 'pelicans')`);

    await expect(declared).rejects.toThrow(/app\.guard_pelican takes weather; a category can give it .*project/);
  } finally {
    await scratch.sql.query('rollback');
  }
});
