-- Screens: the last that a run printed, found by search where its workspace says so.

-- Plain text of what was printed for a terminal: without its codes, each line that was written over as a line. A code
-- that sets a title or the like ends with its line at the latest.
create or replace function app.plain_text(printed text) returns text language sql immutable
  set search_path = pg_catalog, pg_temp
as $$
  select app.clean_text(regexp_replace(printed, '(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]'
    || '|(?:\x1b[]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]?', '', 'g'))
$$;

-- Keeps the end of what a run's latest attempt printed, where its workspace has the search find it. Who switches that
-- off waits for it, and removes it then; output that comes at the same moment is waited for, or waits and comes here.
create or replace function app.keep_screen(run public.agent_runs)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_start integer;
  v_screen app.run_screens;
begin
  perform from public.tenants t
    where t.id = run.tenant_id and t.agent_settings @> '{"search_output": true}' for share;
  if not found or run.attempt = 0 then
    return;
  end if;
  perform app.lock_output(run, app.now());
  -- Codes may be three quarters of it.
  v_start := app.output_start(run, run.attempt, 65536, 1000);
  select run.tenant_id, run.project_id, run.id, min(o."timestamp"),
      right(btrim(app.plain_text(string_agg(o.content, '' order by o.sequence)), E' \t\n'), 16384)
    into v_screen
    from public.terminal_outputs o
    where o.tenant_id = run.tenant_id and o.run_id = run.id and o.attempt = run.attempt and o.sequence > v_start
      and o."timestamp" between lower(app.output_times(run, app.now())) and upper(app.output_times(run, app.now()));
  if v_screen.content <> '' then
    insert into app.run_screens as s select v_screen.*
      on conflict on constraint run_screens_pkey do update
        set (printed_at, content) = (excluded.printed_at, excluded.content);
    perform app.index_text('output', run.tenant_id, run.id, run.project_id, v_screen.content);
  end if;
end
$$;

-- Shows the output that a search has found: whose run it is, and what for.
create or replace function app.found_screen(screen app.run_screens)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_build_object(
      'ref', t.ref,
      'title', concat_ws(': ', r.agent_name, app.clean_line(coalesce(c.content, t.title), 120)),
      'at', coalesce(r.ended_at, screen.printed_at),
      'by', r.agent_name,
      'read_on', 'cairn output ' || r.id,
      'body', screen.content)
    from public.agent_runs r
    left join public.commands c on c.tenant_id = r.tenant_id and c.id = r.command_id
    left join public.tasks t on t.tenant_id = r.tenant_id and t.id = r.task_id
    where r.tenant_id = screen.tenant_id and r.id = screen.run_id);
end
$$;

-- Deletes, in every workspace, the screens whose output is too old to keep, and what search has of them. Runs as
-- cairn_keeper.
create or replace function app.forget_screens()
  returns void
  language sql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  with forgotten as (
    delete from app.run_screens s
    using app.record_tables r
    where r.table_name = 'terminal_outputs'
      and s.printed_at < app.now() - make_interval(days => r.keep_days)
      and app.period_start(s.printed_at, r.period, 1) + make_interval(days => r.keep_days) <= app.now()
    returning s.tenant_id, s.run_id
  )
  delete from app.search_documents d
  using forgotten f
  where d.tenant_id = f.tenant_id and d.kind = 'output' and d.id = f.run_id
$$;

-- set_output_search(enabled?) -> {enabled}: whether the workspace's search finds the last that its runs printed, of
-- those that end from then on; without a value it only answers. Switched off, what there is of it is deleted. For
-- owners and admins, in person. Raises forbidden.
create or replace function public.set_output_search(enabled boolean default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
begin
  perform app.refuse_limited(v_actor);
  if enabled is not null then
    perform app.refuse_agent(v_actor, 'Whether search finds what agents print is decided', 'cairn output-search');
    update public.tenants t
      set agent_settings = (t.agent_settings - 'search_output')
        || case when enabled then '{"search_output": true}'::jsonb else '{}' end
      where t.id = v_actor.tenant_id;
    perform app.record_audit(jsonb_build_object('type',
      case when enabled then 'output.searched' else 'output.unsearched' end), actor);
  end if;
  if not enabled then
    delete from app.run_screens s where s.tenant_id = v_actor.tenant_id;
    delete from app.search_documents d where d.tenant_id = v_actor.tenant_id and d.kind = 'output';
  end if;
  return jsonb_build_object('enabled', (
    select t.agent_settings @> '{"search_output": true}' from public.tenants t where t.id = v_actor.tenant_id));
end
$$;
