-- The functions of the files before get their owner and those who may call them.

-- Gives new functions of ours their owner and their callers, as those have that are there already. A migration that
-- makes a function ends with it.
create function app.secure_functions()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_function record;
begin
  grant create on schema public, app to cairn_owner;
  for v_function in
    select p.oid::regprocedure as name, n.nspname as schema, p.prosrc ~ 'app\.(caller_is_server|enter_server|enter_workspace|enter_person)\(' as for_server
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where (n.nspname = 'app' or n.nspname = 'public' and p.prosecdef and p.prosrc ~ 'app\.(enter|caller_is_server)')
      and p.prokind = 'f' and p.proowner not in ('cairn_owner'::regrole, 'cairn_keeper'::regrole)
  loop
    execute format('revoke all on function %s from public, anon, authenticated', v_function.name);
    execute format('alter function %s owner to cairn_owner', v_function.name);
    if v_function.schema = 'public' then
      execute format('grant execute on function %s to cairn_server, service_role', v_function.name);
      if not v_function.for_server then
        execute format('grant execute on function %s to authenticated', v_function.name);
      end if;
    end if;
  end loop;
  revoke create on schema public, app from cairn_owner;
end
$$;
select app.secure_functions();
