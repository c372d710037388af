-- Views for people and their SQL; each shows only what its user may see.

create or replace view public.active_tasks with (security_invoker = true) as
  select
    t.tenant_id, t.id, t.project_id, t.user_id, t.created_by, t.number, t.ref, t.title, t.description,
    t.acceptance_criteria, t.constraints, t.dependencies, t.parent_id, t.discovered_from, t.status, t.priority,
    t.open_dependencies, t.blocked_reason, t.blocked_by, t.warning, t.locked_at, t.locked_by, t.locked_by_user,
    t.lock_token, t.attempts, t.last_outcome, t.last_reason, t.last_agent, t.summary, t.evidence, t.approved_at,
    t.completed_at, t.version, t.created_at, t.updated_at,
    p.name as project_name,
    t.locked_at is not null
      and coalesce(l.expires_at, t.locked_at + interval '1 hour') > now() as is_actively_locked
  from public.tasks t
  join public.projects p on p.tenant_id = t.tenant_id and p.id = t.project_id
  left join public.leases l
    on l.tenant_id = t.tenant_id and l.kind = 'task' and l.id = t.id and l.token = t.lock_token
  where t.status in ('in_progress', 'blocked')
  order by t.locked_at desc nulls last;

create or replace view public.recent_events with (security_invoker = true) as
  select
    e.tenant_id, e.id, e.seq, e.project_id, e.task_id, e.user_id, e.event_type, e.payload, e.created_at, e.stream,
    e.version, e.actor, e.schema_version, e.correlation_id, e.causation_id, e.payload_hash, e.prev_hash, e.hash,
    e.redacted_at,
    p.name as project_name,
    t.title as task_title
  from public.events e
  left join public.projects p on p.tenant_id = e.tenant_id and p.id = e.project_id
  left join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id
  order by e.seq desc;

create or replace view public.task_progress with (security_invoker = true) as
  select
    t.id, t.project_id, t.title, t.status, t.priority,
    cardinality(t.acceptance_criteria) as total_criteria,
    (select count(*) from public.artifacts a where a.tenant_id = t.tenant_id and a.task_id = t.id) as artifact_count,
    t.locked_at, t.locked_by, t.created_at, t.updated_at
  from public.tasks t;

-- The runs of commands in the order in which their agents take them: what waits has a position, from 1.
create or replace view public.command_queue with (security_invoker = true) as
  select
    r.tenant_id, r.id, r.command_id, r.agent_id,
    case when r.status in ('pending', 'queued')
      then row_number() over (
        partition by r.tenant_id, r.agent_id, r.status in ('pending', 'queued')
        order by r.delivery_mode <> 'interrupt', r.priority desc, r.created_at, r.id) end as position,
    r.priority,
    case
      when r.status in ('pending', 'queued') then 'waiting'
      when r.status = 'cancelled' then 'interrupted'
      else 'processing' end as status,
    r.created_at as enqueued_at, r.started_at, r.interrupt_requested, r.interrupt_reason,
    c.content
  from public.agent_runs r
  join public.commands c on c.tenant_id = r.tenant_id and c.id = r.command_id
  where r.ended_at is null or r.status = 'cancelled' and r.end_reason = 'interrupted';

create or replace view public.agent_artifacts with (security_invoker = true) as
  select
    a.tenant_id, a.id, a.run_id, r.agent_id, r.command_id, a.project_id, a.task_id, a.user_id, a.type, a.ref,
    a.summary, a.storage_key, a.sha256, a.size_bytes, a.media_type, a.added_by, a.created_at
  from public.artifacts a
  join public.agent_runs r on r.tenant_id = a.tenant_id and r.id = a.run_id;

-- What agents did, as a tree by parent_id. A step whose parent never came stands alone. One whose end nobody told has
-- no completed_at: it is over where its run is.
create or replace view public.trace_entries with (security_invoker = true) as
  select
    s.tenant_id, md5(s.trace_id || s.span_id)::uuid as id, s.run_id, r.command_id, r.agent_id, s.project_id,
    md5(s.trace_id || s.parent_span_id)::uuid as parent_id,
    s.kind as type, s.name,
    jsonb_strip_nulls(case s.kind
      when 'llm_prompt' then jsonb_build_object('model', s.model)
      when 'tool_call' then jsonb_build_object('tool', s.name)
      else jsonb_build_object('tokens_used', s.tokens_in + s.tokens_out) end) || coalesce(s.content, '{}') as content,
    s.started_at, s.completed_at, s.duration_ms, s.tokens_in + s.tokens_out as tokens_used, s.error,
    s.attributes as metadata, s.created_at, r.ended_at as run_ended_at
  from public.agent_steps s
  join public.agent_runs r on r.tenant_id = s.tenant_id and r.id = s.run_id;

-- What one may have to answer for, of the last 30 days: events of the log, what runs and stops ended as, sign-ins from
-- the trail of access, and what is on neither.
create or replace view public.audit_logs with (security_invoker = true) as
  select
    e.tenant_id, e.id, app.audit_kind(e.event_type, e.payload) as event_type, e.user_id,
    case split_part(e.stream, ':', 1)
      when 'agent' then split_part(e.stream, ':', 2)::uuid
      when 'command' then case when cardinality(c.target_agents) = 1 then c.target_agents[1] end
      else r.agent_id end as agent_id,
    coalesce(c.id, r.command_id) as command_id,
    jsonb_strip_nulls(jsonb_build_object(
        'by', e.actor ->> 'agent',
        'content', left(coalesce(e.payload ->> 'content', e.payload ->> 'title'), 200),
        'status', case when app.audit_kind(e.event_type, e.payload) = 'command_completed'
          then split_part(e.event_type, '.', 2) end,
        'stopped', case when e.event_type like 'agent.%' then e.event_type = 'agent.paused' end,
        'run', r.id, 'approval', a.id)
      || coalesce((
        select jsonb_object_agg(k.key, k.value) from jsonb_each(e.payload) k
        where k.key in ('to', 'mode', 'type', 'preset', 'by_person', 'error', 'reason', 'path', 'end_reason', 'kind',
          'decision', 'note', 'name')), '{}')) as details,
    null::inet as ip_address, e.actor ->> 'client' as user_agent, e.created_at
  from public.events e
  left join public.commands c
    on c.tenant_id = e.tenant_id and e.stream like 'command:%' and c.id = split_part(e.stream, ':', 2)::uuid
  left join public.approvals a
    on a.tenant_id = e.tenant_id and e.stream like 'approval:%' and a.id = split_part(e.stream, ':', 2)::uuid
  left join public.agent_runs r on r.tenant_id = e.tenant_id
    and r.id = case when e.stream like 'run:%' then split_part(e.stream, ':', 2)::uuid else a.run_id end
  where e.created_at > now() - interval '30 days'
    and app.audit_kind(e.event_type, e.payload) in ('command_sent', 'command_delivered', 'command_interrupted',
      'command_expired', 'command_completed', 'token_limit_exceeded', 'time_limit_exceeded', 'emergency_stop',
      'preset_created', 'approval_requested', 'approval_decided')
  union all
  select
    u.tenant_id, u.id, app.audit_kind(u.type, u.data), u.user_id, null, null,
    u.data || case when u.type like 'agents.%' then jsonb_build_object('stopped', u.type = 'agents.stopped')
      else '{}' end,
    u.ip, null, u.at
  from app.auth_events u
  where u.at > now() - interval '30 days'
    and app.audit_kind(u.type, u.data) in ('user_login', 'user_logout', 'emergency_stop')
  union all
  select
    x.tenant_id, x.id, x.event_type, x.user_id, x.agent_id, x.command_id, x.details, x.ip_address, x.user_agent,
    x.created_at
  from public.audit_entries x
  where x.created_at > now() - interval '30 days';
