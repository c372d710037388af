-- Functions look for names in `pg_catalog` first and in a session's temporary schema last. With an empty path
-- PostgreSQL looks for types and tables in the temporary schema before all others, and the check of a domain that a
-- caller planted there ran as the functions' owner.

do $$
declare
  v_function record;
begin
  for v_function in
    select p.oid::regprocedure as name from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('app', 'public') and p.proconfig @> array['search_path=""']
  loop
    execute format('alter function %s set search_path = pg_catalog, pg_temp', v_function.name);
  end loop;
end
$$;

-- Policies call these, and they must inline there: no clause, but bodies whose names PostgreSQL resolves here and now.
create or replace function app.tenant() returns uuid language sql stable
  return nullif(current_setting('app.tenant_id', true), '')::uuid;
create or replace function app.caller() returns uuid language sql stable
  return nullif(current_setting('app.user_id', true), '')::uuid;
create or replace function app.project() returns uuid language sql stable
  return nullif(current_setting('app.project_id', true), '')::uuid;
create or replace function app.presented() returns text language sql stable
  return nullif(current_setting('app.presented', true), '');
create or replace function app.nobody() returns uuid language sql immutable
  return '00000000-0000-0000-0000-000000000000'::uuid;
create or replace function app.as_uuid(value text) returns uuid language sql immutable
  return case when value like '________-____-____-____-____________' and translate(value, '0123456789abcdefABCDEF', '') = '----' then value::uuid end;
create or replace function app.signed_in() returns uuid language sql stable
  return app.as_uuid(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub');
create or replace function app.reaches(project_id uuid) returns boolean language sql stable
  return (reaches.project_id <> app.project()) is not true;

-- A role that may make nothing temporary can plant nothing. The owner of the database and superusers alone may revoke
-- that right.
do $$
begin
  if pg_has_role((select d.datdba from pg_catalog.pg_database d where d.datname = current_database()), 'usage') then
    execute format('revoke temporary on database %I from public', current_database());
    raise notice 'No role but the owner makes temporary objects in this database any more. A role that needs to: %',
      format('grant temporary on database %I to ROLE', current_database());
  end if;
end
$$;
