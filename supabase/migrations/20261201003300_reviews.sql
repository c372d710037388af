-- Who checks a task before it counts as done, and the question that asks for it, which has no end.

alter table public.tasks add column reviewer text check (reviewer <> '');

alter table public.approvals
  drop constraint approvals_kind_check,
  add constraint approvals_kind_check check (kind in ('permission', 'question', 'task')),
  add column asked_of text,
  alter column expires_at drop not null,
  add check (expires_at is not null or kind = 'task' and task_id is not null);

create unique index idx_approvals_review on public.approvals (tenant_id, task_id)
  where kind = 'task' and status = 'pending';
