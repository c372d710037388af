-- Leases: an exclusive right to a thing for a while. Those of tasks become the first kind of them.
alter table public.task_leases rename to leases;
alter table public.leases rename column task_id to id;
alter table public.leases rename column lock_token to token;
alter table public.leases add column kind text not null default 'task' check (kind ~ '^[a-z][a-z_]{0,39}$');
alter table public.leases alter column kind drop default;
-- Things of the whole workspace have leases too.
alter table public.leases alter column project_id drop not null;
-- As the log calls the holder: an agent, a person, a process.
alter table public.leases add column holder text not null default '';
alter table public.leases alter column holder drop default;

update public.leases l
  set holder = t.locked_by
  from public.tasks t
  where t.tenant_id = l.tenant_id and t.id = l.id and t.locked_by is not null;

alter table public.leases drop constraint task_leases_pkey;
alter table public.leases add primary key (tenant_id, kind, id);
alter table public.leases rename constraint task_leases_ttl_seconds_check to leases_ttl_seconds_check;
drop index public.idx_task_leases_expires_at;
create index idx_leases_expires_at on public.leases (tenant_id, kind, project_id, expires_at);
alter index public.idx_task_leases_renewed_by rename to idx_leases_renewed_by;
