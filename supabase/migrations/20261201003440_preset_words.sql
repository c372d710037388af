-- Which agents wrote the words of a preset: its content, and its variables, which have some by default; null for a
-- person.
alter table public.command_presets
  add column content_by text,
  add column variables_by text;

-- Those that are there. Forced row security would hide the rows from a role that owns the tables and is no superuser.
alter table public.command_presets no force row level security;
alter table public.events no force row level security;

update public.command_presets p
set content_by = (
    select e.actor ->> 'agent' from public.events e
    where e.tenant_id = p.tenant_id and e.stream = 'preset:' || p.id and e.payload ? 'content'
    order by e.version desc limit 1),
  variables_by = (
    select e.actor ->> 'agent' from public.events e
    where e.tenant_id = p.tenant_id and e.stream = 'preset:' || p.id and e.payload ? 'variables'
    order by e.version desc limit 1);

alter table public.events force row level security;
alter table public.command_presets force row level security;
