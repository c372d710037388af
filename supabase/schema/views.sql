-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Views

create view public.active_tasks with (security_invoker=true) as
 SELECT t.tenant_id,
    t.id,
    t.project_id,
    t.user_id,
    t.created_by,
    t.number,
    t.ref,
    t.title,
    t.description,
    t.acceptance_criteria,
    t.constraints,
    t.dependencies,
    t.parent_id,
    t.discovered_from,
    t.status,
    t.priority,
    t.open_dependencies,
    t.blocked_reason,
    t.blocked_by,
    t.warning,
    t.locked_at,
    t.locked_by,
    t.locked_by_user,
    t.lock_token,
    t.attempts,
    t.last_outcome,
    t.last_reason,
    t.last_agent,
    t.summary,
    t.evidence,
    t.approved_at,
    t.completed_at,
    t.version,
    t.created_at,
    t.updated_at,
    p.name AS project_name,
    t.locked_at IS NOT NULL AND COALESCE(l.expires_at, t.locked_at + '01:00:00'::interval) > now() AS is_actively_locked
   FROM public.tasks t
     JOIN public.projects p ON p.tenant_id = t.tenant_id AND p.id = t.project_id
     LEFT JOIN public.leases l ON l.tenant_id = t.tenant_id AND l.kind = 'task'::text AND l.id = t.id AND l.token = t.lock_token
  WHERE t.status = ANY (ARRAY['in_progress'::text, 'blocked'::text])
  ORDER BY t.locked_at DESC NULLS LAST;

create view public.agent_artifacts with (security_invoker=true) as
 SELECT a.tenant_id,
    a.id,
    a.run_id,
    r.agent_id,
    r.command_id,
    a.project_id,
    a.task_id,
    a.user_id,
    a.type,
    a.ref,
    a.summary,
    a.storage_key,
    a.sha256,
    a.size_bytes,
    a.media_type,
    a.added_by,
    a.created_at
   FROM public.artifacts a
     JOIN public.agent_runs r ON r.tenant_id = a.tenant_id AND r.id = a.run_id;

create view public.audit_logs with (security_invoker=true) as
 SELECT e.tenant_id,
    e.id,
    app.audit_kind(e.event_type, e.payload) AS event_type,
    e.user_id,
        CASE split_part(e.stream, ':'::text, 1)
            WHEN 'agent'::text THEN split_part(e.stream, ':'::text, 2)::uuid
            WHEN 'command'::text THEN
            CASE
                WHEN cardinality(c.target_agents) = 1 THEN c.target_agents[1]
                ELSE NULL::uuid
            END
            ELSE r.agent_id
        END AS agent_id,
    COALESCE(c.id, r.command_id) AS command_id,
    jsonb_strip_nulls(jsonb_build_object('by', e.actor ->> 'agent'::text, 'content', "left"(COALESCE(e.payload ->> 'content'::text, e.payload ->> 'title'::text), 200), 'status',
        CASE
            WHEN app.audit_kind(e.event_type, e.payload) = 'command_completed'::text THEN split_part(e.event_type, '.'::text, 2)
            ELSE NULL::text
        END, 'stopped',
        CASE
            WHEN e.event_type ~~ 'agent.%'::text THEN e.event_type = 'agent.paused'::text
            ELSE NULL::boolean
        END, 'run', r.id, 'approval', a.id) || COALESCE(( SELECT jsonb_object_agg(k.key, k.value) AS jsonb_object_agg
           FROM jsonb_each(e.payload) k(key, value)
          WHERE k.key = ANY (ARRAY['to'::text, 'mode'::text, 'type'::text, 'preset'::text, 'by_person'::text, 'error'::text, 'reason'::text, 'path'::text, 'end_reason'::text, 'kind'::text, 'decision'::text, 'note'::text, 'name'::text])), '{}'::jsonb)) AS details,
    NULL::inet AS ip_address,
    e.actor ->> 'client'::text AS user_agent,
    e.created_at
   FROM public.events e
     LEFT JOIN public.commands c ON c.tenant_id = e.tenant_id AND e.stream ~~ 'command:%'::text AND c.id = split_part(e.stream, ':'::text, 2)::uuid
     LEFT JOIN public.approvals a ON a.tenant_id = e.tenant_id AND e.stream ~~ 'approval:%'::text AND a.id = split_part(e.stream, ':'::text, 2)::uuid
     LEFT JOIN public.agent_runs r ON r.tenant_id = e.tenant_id AND r.id =
        CASE
            WHEN e.stream ~~ 'run:%'::text THEN split_part(e.stream, ':'::text, 2)::uuid
            ELSE a.run_id
        END
  WHERE e.created_at > (now() - '30 days'::interval) AND (app.audit_kind(e.event_type, e.payload) = ANY (ARRAY['command_sent'::text, 'command_delivered'::text, 'command_interrupted'::text, 'command_expired'::text, 'command_completed'::text, 'token_limit_exceeded'::text, 'time_limit_exceeded'::text, 'emergency_stop'::text, 'preset_created'::text, 'approval_requested'::text, 'approval_decided'::text]))
UNION ALL
 SELECT u.tenant_id,
    u.id,
    app.audit_kind(u.type, u.data) AS event_type,
    u.user_id,
    NULL::uuid AS agent_id,
    NULL::uuid AS command_id,
    u.data ||
        CASE
            WHEN u.type ~~ 'agents.%'::text THEN jsonb_build_object('stopped', u.type = 'agents.stopped'::text)
            ELSE '{}'::jsonb
        END AS details,
    u.ip AS ip_address,
    NULL::text AS user_agent,
    u.at AS created_at
   FROM app.auth_events u
  WHERE u.at > (now() - '30 days'::interval) AND (app.audit_kind(u.type, u.data) = ANY (ARRAY['user_login'::text, 'user_logout'::text, 'emergency_stop'::text]))
UNION ALL
 SELECT x.tenant_id,
    x.id,
    x.event_type,
    x.user_id,
    x.agent_id,
    x.command_id,
    x.details,
    x.ip_address,
    x.user_agent,
    x.created_at
   FROM public.audit_entries x
  WHERE x.created_at > (now() - '30 days'::interval);

create view public.command_queue with (security_invoker=true) as
 SELECT r.tenant_id,
    r.id,
    r.command_id,
    r.agent_id,
        CASE
            WHEN r.status = ANY (ARRAY['pending'::public.agent_run_status, 'queued'::public.agent_run_status]) THEN row_number() OVER (PARTITION BY r.tenant_id, r.agent_id, (r.status = ANY (ARRAY['pending'::public.agent_run_status, 'queued'::public.agent_run_status])) ORDER BY (r.delivery_mode <> 'interrupt'::text), r.priority DESC, r.created_at, r.id)
            ELSE NULL::bigint
        END AS "position",
    r.priority,
        CASE
            WHEN r.status = ANY (ARRAY['pending'::public.agent_run_status, 'queued'::public.agent_run_status]) THEN 'waiting'::text
            WHEN r.status = 'cancelled'::public.agent_run_status THEN 'interrupted'::text
            ELSE 'processing'::text
        END AS status,
    r.created_at AS enqueued_at,
    r.started_at,
    r.interrupt_requested,
    r.interrupt_reason,
    c.content
   FROM public.agent_runs r
     JOIN public.commands c ON c.tenant_id = r.tenant_id AND c.id = r.command_id
  WHERE r.ended_at IS NULL OR r.status = 'cancelled'::public.agent_run_status AND r.end_reason = 'interrupted'::text;

create view public.recent_events with (security_invoker=true) as
 SELECT e.tenant_id,
    e.id,
    e.seq,
    e.project_id,
    e.task_id,
    e.user_id,
    e.event_type,
    e.payload,
    e.created_at,
    e.stream,
    e.version,
    e.actor,
    e.schema_version,
    e.correlation_id,
    e.causation_id,
    e.payload_hash,
    e.prev_hash,
    e.hash,
    e.redacted_at,
    p.name AS project_name,
    t.title AS task_title
   FROM public.events e
     LEFT JOIN public.projects p ON p.tenant_id = e.tenant_id AND p.id = e.project_id
     LEFT JOIN public.tasks t ON t.tenant_id = e.tenant_id AND t.id = e.task_id
  ORDER BY e.seq DESC;

create view public.task_progress with (security_invoker=true) as
 SELECT id,
    project_id,
    title,
    status,
    priority,
    cardinality(acceptance_criteria) AS total_criteria,
    ( SELECT count(*) AS count
           FROM public.artifacts a
          WHERE a.tenant_id = t.tenant_id AND a.task_id = t.id) AS artifact_count,
    locked_at,
    locked_by,
    created_at,
    updated_at
   FROM public.tasks t;

create view public.trace_entries with (security_invoker=true) as
 SELECT s.tenant_id,
    md5(s.trace_id || s.span_id)::uuid AS id,
    s.run_id,
    r.command_id,
    r.agent_id,
    s.project_id,
    md5(s.trace_id || s.parent_span_id)::uuid AS parent_id,
    s.kind AS type,
    s.name,
    jsonb_strip_nulls(
        CASE s.kind
            WHEN 'llm_prompt'::text THEN jsonb_build_object('model', s.model)
            WHEN 'tool_call'::text THEN jsonb_build_object('tool', s.name)
            ELSE jsonb_build_object('tokens_used', s.tokens_in + s.tokens_out)
        END) || COALESCE(s.content, '{}'::jsonb) AS content,
    s.started_at,
    s.completed_at,
    s.duration_ms,
    s.tokens_in + s.tokens_out AS tokens_used,
    s.error,
    s.attributes AS metadata,
    s.created_at,
    r.ended_at AS run_ended_at
   FROM public.agent_steps s
     JOIN public.agent_runs r ON r.tenant_id = s.tenant_id AND r.id = s.run_id;

-- Privileges

grant select on public.active_tasks to authenticated;
grant select on public.agent_artifacts to authenticated;
grant select on public.audit_logs to authenticated;
grant select on public.audit_logs to cairn_owner;
grant select on public.command_queue to authenticated;
grant select on public.recent_events to authenticated;
grant select on public.task_progress to authenticated;
grant select on public.trace_entries to authenticated;
