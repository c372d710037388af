-- Derived data that is rebuilt when its code changes: raise the number then.

-- Words to search for, workspace by workspace.
do $$
declare
  v_hash constant text := encode(sha256('search 2'), 'hex');
  v_tenant uuid;
begin
  if exists (select from supabase_migrations.cairn_applied a where a.name = 'search' and a.hash = v_hash) then
    return;
  end if;
  set local role cairn_owner;
  for v_tenant in select distinct d.tenant_id from app.search_documents d loop
    perform set_config('app.tenant_id', v_tenant::text, true);
    update app.search_documents d
      set words = app.search_vector(s.kind, v_tenant, s.project_id, s.content)
      from app.list_searchable(v_tenant) s
      where d.tenant_id = v_tenant and d.kind = s.kind and d.id = s.id and s.content is not null
        and d.words is distinct from app.search_vector(s.kind, v_tenant, s.project_id, s.content);
  end loop;
  perform set_config('app.tenant_id', '', true);
  reset role;
  insert into supabase_migrations.cairn_applied (name, hash, program) values ('search', v_hash, '')
    on conflict (name) do update set hash = excluded.hash, applied_at = now();
end
$$;

-- The reason of tasks that are blocked because they were given up once, workspace by workspace.
do $$
declare
  v_hash constant text := encode(sha256('times 1'), 'hex');
  v_tenant uuid;
begin
  if exists (select from supabase_migrations.cairn_applied a where a.name = 'times' and a.hash = v_hash) then
    return;
  end if;
  set local role cairn_owner;
  for v_tenant in select distinct d.tenant_id from app.search_documents d loop
    perform set_config('app.tenant_id', v_tenant::text, true);
    update public.tasks t
      set blocked_reason = replace(t.blocked_reason, 'given up 1 times, the most', 'given up once, the most')
      where t.tenant_id = v_tenant and t.status = 'blocked' and t.attempts = 1
        and starts_with(t.blocked_reason, 'It was given up 1 times, the most its project allows;');
  end loop;
  perform set_config('app.tenant_id', '', true);
  reset role;
  insert into supabase_migrations.cairn_applied (name, hash, program) values ('times', v_hash, '')
    on conflict (name) do update set hash = excluded.hash, applied_at = now();
end
$$;
