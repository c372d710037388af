-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Types

create type app.applied as (
  event public.events,
  state jsonb,
  triggers jsonb
);

-- Tables

create table app.archived_chains (
  tenant_id uuid not null,
  project_id uuid,
  hash bytea not null,
  constraint archived_chains_tenant_id_project_id_key UNIQUE NULLS NOT DISTINCT (tenant_id, project_id),
  constraint archived_chains_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id)
);
alter table app.archived_chains enable row level security;
alter table app.archived_chains force row level security;
create policy door on app.archived_chains as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy reach on app.archived_chains as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

create table app.archived_streams (
  tenant_id uuid not null,
  stream text not null,
  version bigint not null,
  seq bigint not null,
  project_id uuid,
  state jsonb,
  constraint archived_streams_pkey PRIMARY KEY (tenant_id, stream),
  constraint archived_streams_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id)
);
alter table app.archived_streams enable row level security;
alter table app.archived_streams force row level security;
create policy door on app.archived_streams as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy reach on app.archived_streams as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

create table app.event_fields (
  event_type text not null,
  field text not null,
  kind text not null,
  required boolean not null,
  size_max integer,
  one_of text[],
  by_door boolean default false not null,
  item_max integer,
  constraint event_fields_pkey PRIMARY KEY (event_type, field),
  constraint event_fields_event_type_fkey FOREIGN KEY (event_type) REFERENCES app.event_types(event_type),
  constraint event_fields_kind_check CHECK ((kind = ANY (ARRAY['text'::text, 'said'::text, 'line'::text, 'ref'::text, 'ref[]'::text, 'text[]'::text, 'label[]'::text, 'integer'::text, 'positive'::text, 'number'::text, 'fraction'::text, 'boolean'::text, 'object'::text, 'array'::text, 'one_of'::text])))
);
alter table app.event_fields enable row level security;
alter table app.event_fields force row level security;
create policy read on app.event_fields as permissive for select to cairn_keeper, cairn_owner using (true);

create table app.event_types (
  event_type text not null,
  schema_version integer default 1 not null,
  required text[] not null,
  internal boolean default false not null,
  creates boolean default false not null,
  verb_only boolean default false not null,
  constraint event_types_pkey PRIMARY KEY (event_type)
);
alter table app.event_types enable row level security;
alter table app.event_types force row level security;
create policy read on app.event_types as permissive for select to cairn_keeper, cairn_owner using (true);

create table app.idempotency_keys (
  tenant_id uuid not null,
  user_id uuid not null,
  key text not null,
  fingerprint text not null,
  result jsonb not null,
  created_at timestamp with time zone not null,
  constraint idempotency_keys_pkey PRIMARY KEY (tenant_id, user_id, key)
);
CREATE INDEX idx_idempotency_keys_created_at ON app.idempotency_keys USING btree (created_at);
alter table app.idempotency_keys enable row level security;
alter table app.idempotency_keys force row level security;
create policy door on app.idempotency_keys as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy expired on app.idempotency_keys as permissive for delete to cairn_keeper using ((created_at < (now() - app.get_key_lifetime())));

create table app.positions (
  tenant_id uuid not null,
  seq bigint default 0 not null,
  archived_to bigint default 0 not null,
  constraint positions_pkey PRIMARY KEY (tenant_id),
  constraint positions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint positions_check CHECK (((archived_to >= 0) AND (archived_to <= seq)))
) with (fillfactor=50);
alter table app.positions enable row level security;
alter table app.positions force row level security;
create policy door on app.positions as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));

create table public.events (
  tenant_id uuid not null,
  id uuid not null,
  seq bigint not null,
  project_id uuid,
  task_id uuid,
  user_id uuid not null,
  event_type text not null,
  payload jsonb not null,
  created_at timestamp with time zone not null,
  stream text not null,
  version bigint not null,
  actor jsonb not null,
  schema_version integer default 1 not null,
  correlation_id uuid,
  causation_id uuid,
  payload_hash bytea not null,
  prev_hash bytea,
  hash bytea not null,
  redacted_at timestamp with time zone,
  imported_by uuid,
  imported_at timestamp with time zone,
  cleaned_hash bytea,
  constraint events_tenant_id_seq_key UNIQUE (tenant_id, seq),
  constraint events_tenant_id_stream_version_key UNIQUE (tenant_id, stream, version),
  constraint events_pkey PRIMARY KEY (tenant_id, id),
  constraint events_imported_by_fkey FOREIGN KEY (imported_by) REFERENCES public.users(id),
  constraint events_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint events_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint events_check CHECK (((imported_by IS NULL) = (imported_at IS NULL))),
  constraint events_seq_check CHECK ((seq > 0)),
  constraint events_version_check CHECK ((version > 0))
);
CREATE INDEX idx_events_audited ON public.events USING btree (tenant_id, event_type, created_at DESC, id DESC) WHERE (event_type = ANY (ARRAY['agent.paused'::text, 'agent.resumed'::text, 'approval.decided'::text, 'approval.requested'::text, 'command.cancelled'::text, 'command.completed'::text, 'command.failed'::text, 'command.sent'::text, 'preset.saved'::text, 'run.delivered'::text, 'run.interrupt_requested'::text]));
CREATE INDEX idx_events_created_at ON public.events USING btree (created_at DESC);
CREATE INDEX idx_events_ended_early ON public.events USING btree (tenant_id, created_at DESC, id DESC) WHERE ((event_type = 'run.finished'::text) AND ((payload ->> 'end_reason'::text) = ANY (ARRAY['token_limit'::text, 'time_limit'::text, 'expired'::text])));
CREATE INDEX idx_events_event_type ON public.events USING btree (event_type);
CREATE INDEX idx_events_notes ON public.events USING btree (tenant_id, project_id, seq) WHERE (event_type = ANY (ARRAY['task.noted'::text, 'project.noted'::text]));
CREATE INDEX idx_events_project_created ON public.events USING btree (project_id, created_at DESC);
CREATE INDEX idx_events_project_id ON public.events USING btree (tenant_id, project_id, seq);
CREATE INDEX idx_events_task_created ON public.events USING btree (task_id, created_at DESC);
CREATE INDEX idx_events_task_id ON public.events USING btree (tenant_id, task_id, seq) WHERE (task_id IS NOT NULL);
CREATE INDEX idx_events_user_id ON public.events USING btree (user_id);
CREATE TRIGGER events_append_only BEFORE DELETE OR UPDATE ON public.events FOR EACH ROW EXECUTE FUNCTION app.refuse_rewrite();
CREATE TRIGGER events_keep_unanswered AFTER INSERT ON public.events FOR EACH ROW WHEN ((new.event_type = ANY (ARRAY['task.noted'::text, 'project.noted'::text]))) EXECUTE FUNCTION app.keep_unanswered();
CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON public.events FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_rewrite();
alter table public.events enable row level security;
alter table public.events force row level security;
create policy door_append on public.events as permissive for insert to cairn_owner with check ((tenant_id = app.get_tenant_id()));
create policy door_read on public.events as permissive for select to cairn_keeper, cairn_owner using ((tenant_id = app.get_tenant_id()));
create policy keeper_archive on public.events as permissive for delete to cairn_keeper using ((tenant_id = app.get_tenant_id()));
create policy keeper_redact on public.events as permissive for update to cairn_keeper using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_insert on public.events as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.events as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.events as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

-- Rows that are part of the schema

-- app.event_fields: (agent.configured,config,object,f,8192,,f,)
-- app.event_fields: (agent.configured,driver,one_of,f,,"{claude,codex,acp,pipe,pty,hook,pull,otlp}",f,)
-- app.event_fields: (agent.configured,host_machine,line,f,200,,f,)
-- app.event_fields: (agent.configured,type,line,f,40,,f,)
-- app.event_fields: (agent.paused,reason,text,f,300,,f,)
-- app.event_fields: (agent.registered,config,object,f,8192,,f,)
-- app.event_fields: (agent.registered,driver,one_of,t,,"{claude,codex,acp,pipe,pty,hook,pull,otlp}",f,)
-- app.event_fields: (agent.registered,host_machine,line,f,200,,f,)
-- app.event_fields: (agent.registered,name,line,t,60,,f,)
-- app.event_fields: (agent.registered,project,ref,f,80,,f,)
-- app.event_fields: (agent.registered,type,line,t,40,,f,)
-- app.event_fields: (agent.renamed,name,line,t,60,,f,)
-- app.event_fields: (alert.acknowledged,note,text,f,2000,,f,)
-- app.event_fields: (alert.raised,dedup_key,line,t,200,,f,)
-- app.event_fields: (alert.raised,details,object,t,16384,,f,)
-- app.event_fields: (alert.raised,kind,line,t,100,,f,)
-- app.event_fields: (alert.raised,project,ref,f,80,,f,)
-- app.event_fields: (alert.raised,severity,one_of,t,,"{low,medium,high,critical}",f,)
-- app.event_fields: (alert.raised,title,line,t,300,,f,)
-- app.event_fields: (alert.repeated,details,object,t,16384,,f,)
-- app.event_fields: (alert.repeated,severity,one_of,t,,"{low,medium,high,critical}",f,)
-- app.event_fields: (alert.repeated,title,line,t,300,,f,)
-- app.event_fields: (alert.resolved,note,text,f,2000,,f,)
-- app.event_fields: (alert.snoozed,note,text,f,2000,,f,)
-- app.event_fields: (alert.snoozed,seconds,positive,t,2592000,,f,)
-- app.event_fields: (approval.decided,answer,text,f,4000,,f,)
-- app.event_fields: (approval.decided,decision,one_of,t,,"{approved,denied}",f,)
-- app.event_fields: (approval.decided,note,text,f,2000,,f,)
-- app.event_fields: (approval.requested,asked_of,line,f,120,,f,)
-- app.event_fields: (approval.requested,detail,object,f,16384,,f,)
-- app.event_fields: (approval.requested,kind,one_of,t,,"{permission,question,task}",f,)
-- app.event_fields: (approval.requested,options,text[],f,20,,f,200)
-- app.event_fields: (approval.requested,project,ref,f,80,,f,)
-- app.event_fields: (approval.requested,run,ref,f,80,,f,)
-- app.event_fields: (approval.requested,task,ref,f,80,,f,)
-- app.event_fields: (approval.requested,title,line,t,500,,f,)
-- app.event_fields: (approval.requested,ttl_seconds,positive,f,604800,,f,)
-- app.event_fields: (artifact.added,files,text[],f,500,,f,500)
-- app.event_fields: (artifact.added,lines_changed,integer,f,999999999,,f,)
-- app.event_fields: (artifact.added,media_type,line,f,200,,f,)
-- app.event_fields: (artifact.added,project,ref,f,80,,f,)
-- app.event_fields: (artifact.added,ref,line,t,2000,,f,)
-- app.event_fields: (artifact.added,run,ref,f,80,,f,)
-- app.event_fields: (artifact.added,sha256,line,f,64,,f,)
-- app.event_fields: (artifact.added,size_bytes,integer,f,999999999,,f,)
-- app.event_fields: (artifact.added,storage_key,line,f,1000,,f,)
-- app.event_fields: (artifact.added,summary,text,f,4000,,f,)
-- app.event_fields: (artifact.added,task,ref,f,80,,f,)
-- app.event_fields: (artifact.added,type,one_of,t,,"{diff,pr,test_report,document,other}",f,)
-- app.event_fields: (checkpoint.saved,label,line,t,200,,f,)
-- app.event_fields: (checkpoint.saved,project,ref,f,80,,f,)
-- app.event_fields: (checkpoint.saved,repo_ref,line,f,500,,f,)
-- app.event_fields: (checkpoint.saved,resume_instructions,text,f,10000,,f,)
-- app.event_fields: (checkpoint.saved,snapshot,object,f,65536,,f,)
-- app.event_fields: (checkpoint.saved,summary,said,t,10000,,f,)
-- app.event_fields: (command.cancelled,reason,text,f,2000,,f,)
-- app.event_fields: (command.failed,error,text,f,2000,,f,)
-- app.event_fields: (command.sent,broadcast,boolean,f,,,t,)
-- app.event_fields: (command.sent,by_person,boolean,f,,,t,)
-- app.event_fields: (command.sent,content,said,f,16000,,f,)
-- app.event_fields: (command.sent,execution_constraints,object,f,2000,,f,)
-- app.event_fields: (command.sent,mode,one_of,f,,"{turn,steer,interrupt}",f,)
-- app.event_fields: (command.sent,preset,ref,f,80,,f,)
-- app.event_fields: (command.sent,priority,integer,f,100,,f,)
-- app.event_fields: (command.sent,profile,ref,f,80,,f,)
-- app.event_fields: (command.sent,project,ref,f,80,,f,)
-- app.event_fields: (command.sent,repeatable,boolean,f,,,f,)
-- app.event_fields: (command.sent,resumes,boolean,f,,,f,)
-- app.event_fields: (command.sent,sent_by,line,f,120,,t,)
-- app.event_fields: (command.sent,target_agents,ref[],f,100,,t,80)
-- app.event_fields: (command.sent,task,ref,f,80,,f,)
-- app.event_fields: (command.sent,to,text[],f,100,,f,80)
-- app.event_fields: (command.sent,ttl_seconds,positive,f,2592000,,f,)
-- app.event_fields: (command.sent,type,one_of,f,,"{natural,investigate,review,plan,synthesize}",f,)
-- app.event_fields: (command.sent,values,object,f,8192,,f,)
-- app.event_fields: (decision.recorded,choice,said,t,2000,,f,)
-- app.event_fields: (decision.recorded,options,array,f,40000,,f,)
-- app.event_fields: (decision.recorded,project,ref,f,80,,f,)
-- app.event_fields: (decision.recorded,rationale,said,t,10000,,f,)
-- app.event_fields: (decision.recorded,supersedes,ref,f,80,,f,)
-- app.event_fields: (decision.recorded,task,ref,f,80,,f,)
-- app.event_fields: (decision.recorded,title,line,t,300,,f,)
-- app.event_fields: (decision.superseded,by,ref,t,80,,f,)
-- app.event_fields: (event.redacted,reason,said,t,4000,,f,)
-- app.event_fields: (memory.remembered,agent_id,ref,f,80,,t,)
-- app.event_fields: (memory.remembered,confidence,fraction,f,,,f,)
-- app.event_fields: (memory.remembered,key,line,t,200,,f,)
-- app.event_fields: (memory.remembered,kind,one_of,f,,"{fact,preference,procedure,hypothesis}",f,)
-- app.event_fields: (memory.remembered,project,ref,f,80,,f,)
-- app.event_fields: (memory.remembered,run,ref,f,80,,f,)
-- app.event_fields: (memory.remembered,scope,one_of,t,,"{run,agent,project,workspace}",f,)
-- app.event_fields: (memory.remembered,source,positive,f,999999999,,f,)
-- app.event_fields: (memory.remembered,source_event_id,ref,f,80,,t,)
-- app.event_fields: (memory.remembered,status,one_of,f,,"{noted,proposed}",t,)
-- app.event_fields: (memory.remembered,task,ref,f,80,,f,)
-- app.event_fields: (memory.remembered,text,said,t,2000,,f,)
-- app.event_fields: (memory.remembered,ttl_seconds,positive,f,315360000,,f,)
-- app.event_fields: (memory.superseded,by,ref,t,80,,f,)
-- app.event_fields: (message.enqueued,payload,object,t,65536,,f,)
-- app.event_fields: (message.enqueued,project,ref,t,80,,f,)
-- app.event_fields: (message.enqueued,topic,line,t,100,,f,)
-- app.event_fields: (preset.changed,content,said,f,16000,,f,)
-- app.event_fields: (preset.changed,description,text,f,2000,,f,)
-- app.event_fields: (preset.changed,target_agent_types,text[],f,20,,f,40)
-- app.event_fields: (preset.changed,type,one_of,f,,"{natural,investigate,review,plan,synthesize}",f,)
-- app.event_fields: (preset.changed,variables,array,f,160000,,f,)
-- app.event_fields: (preset.saved,content,said,t,16000,,f,)
-- app.event_fields: (preset.saved,description,text,f,2000,,f,)
-- app.event_fields: (preset.saved,name,line,t,100,,f,)
-- app.event_fields: (preset.saved,project,ref,f,80,,f,)
-- app.event_fields: (preset.saved,target_agent_types,text[],f,20,,f,40)
-- app.event_fields: (preset.saved,type,one_of,f,,"{natural,investigate,review,plan,synthesize}",f,)
-- app.event_fields: (preset.saved,variables,array,f,160000,,f,)
-- app.event_fields: (profile.changed,cpu_limit_percent,integer,f,999999999,,f,)
-- app.event_fields: (profile.changed,description,text,f,2000,,f,)
-- app.event_fields: (profile.changed,is_default,boolean,f,,,f,)
-- app.event_fields: (profile.changed,memory_limit_mb,integer,f,999999999,,f,)
-- app.event_fields: (profile.changed,silence_limit_ms,integer,f,999999999,,f,)
-- app.event_fields: (profile.changed,time_limit_ms,integer,f,999999999,,f,)
-- app.event_fields: (profile.changed,token_budget,integer,f,999999999,,f,)
-- app.event_fields: (profile.saved,cpu_limit_percent,integer,f,999999999,,f,)
-- app.event_fields: (profile.saved,description,text,f,2000,,f,)
-- app.event_fields: (profile.saved,is_default,boolean,f,,,f,)
-- app.event_fields: (profile.saved,memory_limit_mb,integer,f,999999999,,f,)
-- app.event_fields: (profile.saved,name,line,t,100,,f,)
-- app.event_fields: (profile.saved,project,ref,f,80,,f,)
-- app.event_fields: (profile.saved,silence_limit_ms,integer,f,999999999,,f,)
-- app.event_fields: (profile.saved,time_limit_ms,integer,f,999999999,,f,)
-- app.event_fields: (profile.saved,token_budget,integer,f,999999999,,f,)
-- app.event_fields: (project.archived,reason,text,f,2000,,f,)
-- app.event_fields: (project.created,description,text,f,20000,,f,)
-- app.event_fields: (project.created,name,line,t,200,,f,)
-- app.event_fields: (project.created,rules,object,f,65536,,f,)
-- app.event_fields: (project.created,slug,ref,t,31,,f,)
-- app.event_fields: (project.noted,answers,ref,f,80,,f,)
-- app.event_fields: (project.noted,kind,one_of,t,,"{note,question,answer,progress,risk}",f,)
-- app.event_fields: (project.noted,text,said,t,20000,,f,)
-- app.event_fields: (project.updated,description,text,f,20000,,f,)
-- app.event_fields: (project.updated,name,line,f,200,,f,)
-- app.event_fields: (project.updated,rules,object,f,65536,,f,)
-- app.event_fields: (report.changed,attachments,array,f,200000,,f,)
-- app.event_fields: (report.changed,findings,array,f,200000,,f,)
-- app.event_fields: (report.changed,metadata,object,f,16384,,f,)
-- app.event_fields: (report.changed,recommendations,array,f,100000,,f,)
-- app.event_fields: (report.changed,replace,boolean,f,,,f,)
-- app.event_fields: (report.changed,sections,array,f,200000,,f,)
-- app.event_fields: (report.changed,summary,text,f,4000,,f,)
-- app.event_fields: (report.changed,title,line,f,300,,f,)
-- app.event_fields: (report.saved,agent_id,ref,f,80,,t,)
-- app.event_fields: (report.saved,attachments,array,f,200000,,f,)
-- app.event_fields: (report.saved,command_id,ref,f,80,,t,)
-- app.event_fields: (report.saved,findings,array,f,200000,,f,)
-- app.event_fields: (report.saved,metadata,object,f,16384,,f,)
-- app.event_fields: (report.saved,project,ref,f,80,,f,)
-- app.event_fields: (report.saved,recommendations,array,f,100000,,f,)
-- app.event_fields: (report.saved,run,ref,f,80,,f,)
-- app.event_fields: (report.saved,sections,array,f,200000,,f,)
-- app.event_fields: (report.saved,summary,text,f,4000,,f,)
-- app.event_fields: (report.saved,title,line,t,300,,f,)
-- app.event_fields: (run.claimed,lock_token,positive,f,999999999,,f,)
-- app.event_fields: (run.delivered,path,line,t,200,,f,)
-- app.event_fields: (run.finished,end_reason,one_of,t,,"{completed,interrupted,cancelled,time_limit,token_limit,memory_limit,cpu_limit,silent,usage_limit,emergency_stop,expired,lost,crashed,error}",f,)
-- app.event_fields: (run.finished,error,text,f,2000,,f,)
-- app.event_fields: (run.finished,metrics,object,f,8192,,f,)
-- app.event_fields: (run.finished,result,text,f,20000,,f,)
-- app.event_fields: (run.finished,status,one_of,t,,"{completed,failed,cancelled,timed_out}",f,)
-- app.event_fields: (run.interrupt_requested,reason,text,f,2000,,f,)
-- app.event_fields: (run.opened,agent_id,ref,t,80,,f,)
-- app.event_fields: (run.opened,agent_name,line,t,60,,f,)
-- app.event_fields: (run.opened,project,ref,f,80,,f,)
-- app.event_fields: (run.paused,reason,text,f,2000,,f,)
-- app.event_fields: (run.paused,seconds,positive,t,2592000,,f,)
-- app.event_fields: (run.queued,agent_id,ref,t,80,,f,)
-- app.event_fields: (run.queued,agent_name,line,t,60,,f,)
-- app.event_fields: (run.queued,command_id,ref,f,80,,f,)
-- app.event_fields: (run.queued,delivery_mode,one_of,t,,"{turn,steer,interrupt}",f,)
-- app.event_fields: (run.queued,mode,line,t,40,,f,)
-- app.event_fields: (run.queued,priority,integer,t,100,,f,)
-- app.event_fields: (run.queued,project,ref,f,80,,f,)
-- app.event_fields: (run.queued,task,ref,f,80,,f,)
-- app.event_fields: (run.queued,ttl_seconds,positive,t,2592000,,f,)
-- app.event_fields: (run.requeued,reason,text,f,2000,,f,)
-- app.event_fields: (run.silent,seconds,positive,t,2592000,,f,)
-- app.event_fields: (run.waiting,ask,object,f,24576,,f,)
-- app.event_fields: (run.waiting,for,one_of,t,,"{input,approval}",f,)
-- app.event_fields: (run.waiting,text,text,f,2000,,f,)
-- app.event_fields: (session.saved,project,ref,f,80,,f,)
-- app.event_fields: (session.saved,snapshot,object,f,262144,,f,)
-- app.event_fields: (session.saved,summary,text,f,10000,,f,)
-- app.event_fields: (session.updated,snapshot,object,f,262144,,f,)
-- app.event_fields: (session.updated,summary,text,f,10000,,f,)
-- app.event_fields: (task.approved,note,text,f,4000,,f,)
-- app.event_fields: (task.blocked,dependency,ref,f,80,,f,)
-- app.event_fields: (task.blocked,reason,said,t,4000,,f,)
-- app.event_fields: (task.cancelled,reason,said,t,4000,,f,)
-- app.event_fields: (task.claimed,lapsed,boolean,f,,,t,)
-- app.event_fields: (task.claimed,take_over,boolean,f,,,f,)
-- app.event_fields: (task.claimed,ttl_seconds,positive,t,86400,,f,)
-- app.event_fields: (task.completed,evidence,array,f,400000,,f,)
-- app.event_fields: (task.completed,lock_token,positive,f,999999999,,t,)
-- app.event_fields: (task.completed,summary,text,f,10000,,f,)
-- app.event_fields: (task.completed,unproven,array,f,400,,t,)
-- app.event_fields: (task.created,acceptance_criteria,text[],f,50,,f,1000)
-- app.event_fields: (task.created,constraints,object,f,16384,,f,)
-- app.event_fields: (task.created,dependencies,ref[],f,100,,f,80)
-- app.event_fields: (task.created,description,text,f,20000,,f,)
-- app.event_fields: (task.created,discovered_from,ref,f,80,,f,)
-- app.event_fields: (task.created,labels,label[],f,20,,f,50)
-- app.event_fields: (task.created,number,positive,f,99999999,,t,)
-- app.event_fields: (task.created,parent,ref,f,80,,f,)
-- app.event_fields: (task.created,priority,one_of,f,,"{low,medium,high,critical}",f,)
-- app.event_fields: (task.created,project,ref,f,80,,f,)
-- app.event_fields: (task.created,project_id,ref,f,36,,t,)
-- app.event_fields: (task.created,rank,number,f,,,f,)
-- app.event_fields: (task.created,ref,ref,f,41,,t,)
-- app.event_fields: (task.created,reviewer,line,f,120,,f,)
-- app.event_fields: (task.created,title,line,t,300,,f,)
-- app.event_fields: (task.dependencies_changed,add,ref[],f,100,,f,80)
-- app.event_fields: (task.dependencies_changed,remove,ref[],f,100,,f,80)
-- app.event_fields: (task.lock_broken,reason,said,t,4000,,f,)
-- app.event_fields: (task.noted,answers,ref,f,80,,f,)
-- app.event_fields: (task.noted,kind,one_of,t,,"{note,question,answer,progress,risk}",f,)
-- app.event_fields: (task.noted,text,said,t,20000,,f,)
-- app.event_fields: (task.released,exhausted,boolean,f,,,t,)
-- app.event_fields: (task.released,lapsed,boolean,f,,,t,)
-- app.event_fields: (task.released,lock_token,positive,f,999999999,,t,)
-- app.event_fields: (task.released,outcome,one_of,t,,"{paused,failed}",f,)
-- app.event_fields: (task.released,reason,said,t,4000,,f,)
-- app.event_fields: (task.reopened,reason,said,t,4000,,f,)
-- app.event_fields: (task.returned,reason,said,t,4000,,f,)
-- app.event_fields: (task.submitted,evidence,array,f,400000,,f,)
-- app.event_fields: (task.submitted,lock_token,positive,f,999999999,,t,)
-- app.event_fields: (task.submitted,summary,text,f,10000,,f,)
-- app.event_fields: (task.unblocked,reason,text,f,4000,,f,)
-- app.event_fields: (task.updated,acceptance_criteria,text[],f,50,,f,1000)
-- app.event_fields: (task.updated,constraints,object,f,16384,,f,)
-- app.event_fields: (task.updated,description,text,f,20000,,f,)
-- app.event_fields: (task.updated,labels,label[],f,20,,f,50)
-- app.event_fields: (task.updated,parent,ref,f,80,,f,)
-- app.event_fields: (task.updated,priority,one_of,f,,"{low,medium,high,critical}",f,)
-- app.event_fields: (task.updated,rank,number,f,,,f,)
-- app.event_fields: (task.updated,reviewer,text,f,120,,f,)
-- app.event_fields: (task.updated,title,line,f,300,,f,)
-- app.event_fields: (task.warned,dependency,ref,t,80,,f,)
-- app.event_fields: (task.warned,reason,said,t,4000,,f,)
-- app.event_types: (agent.configured,1,{},f,f,t)
-- app.event_types: (agent.paused,1,{},f,f,f)
-- app.event_types: (agent.registered,1,"{type,driver,name}",f,t,t)
-- app.event_types: (agent.renamed,1,{name},f,f,f)
-- app.event_types: (agent.resumed,1,{},f,f,f)
-- app.event_types: (agent.retired,1,{},f,f,f)
-- app.event_types: (alert.acknowledged,1,{},f,f,f)
-- app.event_types: (alert.raised,1,"{severity,title,details,kind,dedup_key}",f,t,t)
-- app.event_types: (alert.repeated,1,"{severity,title,details}",f,f,t)
-- app.event_types: (alert.resolved,1,{},f,f,f)
-- app.event_types: (alert.snoozed,1,{seconds},f,f,f)
-- app.event_types: (approval.decided,1,{decision},f,f,t)
-- app.event_types: (approval.expired,1,{},f,f,t)
-- app.event_types: (approval.requested,1,"{kind,title}",f,t,f)
-- app.event_types: (approval.withdrawn,1,{},f,f,f)
-- app.event_types: (artifact.added,1,"{type,ref}",f,t,f)
-- app.event_types: (checkpoint.saved,1,"{label,summary}",f,t,f)
-- app.event_types: (command.cancelled,1,{},f,f,f)
-- app.event_types: (command.completed,1,{},t,f,f)
-- app.event_types: (command.failed,1,{},t,f,f)
-- app.event_types: (command.sent,1,{},f,t,f)
-- app.event_types: (command.started,1,{},t,f,f)
-- app.event_types: (decision.recorded,1,"{title,choice,rationale}",f,t,f)
-- app.event_types: (decision.superseded,1,{by},t,f,f)
-- app.event_types: (event.redacted,1,{reason},t,f,f)
-- app.event_types: (memory.approved,1,{},f,f,t)
-- app.event_types: (memory.declined,1,{},f,f,t)
-- app.event_types: (memory.forgotten,1,{},f,f,t)
-- app.event_types: (memory.remembered,1,"{key,text,scope}",f,t,f)
-- app.event_types: (memory.restored,1,{},t,f,f)
-- app.event_types: (memory.superseded,1,{by},t,f,f)
-- app.event_types: (message.enqueued,1,"{project,topic,payload}",t,t,f)
-- app.event_types: (preset.changed,1,{},f,f,f)
-- app.event_types: (preset.removed,1,{},f,f,f)
-- app.event_types: (preset.saved,1,"{content,name}",f,t,f)
-- app.event_types: (profile.changed,1,{},f,f,f)
-- app.event_types: (profile.removed,1,{},f,f,f)
-- app.event_types: (profile.saved,1,{name},f,t,f)
-- app.event_types: (project.archived,1,{},f,f,f)
-- app.event_types: (project.created,1,"{slug,name}",f,t,f)
-- app.event_types: (project.noted,1,"{text,kind}",f,f,f)
-- app.event_types: (project.unarchived,1,{},f,f,f)
-- app.event_types: (project.updated,1,{},f,f,f)
-- app.event_types: (report.changed,1,{},f,f,f)
-- app.event_types: (report.completed,1,{},f,f,f)
-- app.event_types: (report.saved,1,{title},f,t,f)
-- app.event_types: (run.acknowledged,1,{},f,f,t)
-- app.event_types: (run.claimed,1,{},f,f,t)
-- app.event_types: (run.delivered,1,{path},f,f,t)
-- app.event_types: (run.finished,1,"{status,end_reason}",f,f,t)
-- app.event_types: (run.interrupt_requested,1,{},f,f,f)
-- app.event_types: (run.opened,1,"{agent_id,agent_name}",f,t,t)
-- app.event_types: (run.paused,1,{seconds},f,f,t)
-- app.event_types: (run.queued,1,"{agent_id,agent_name,mode,priority,delivery_mode,ttl_seconds}",t,t,f)
-- app.event_types: (run.requeued,1,{},f,f,t)
-- app.event_types: (run.resumed,1,{},f,f,t)
-- app.event_types: (run.silent,1,{seconds},f,f,t)
-- app.event_types: (run.waiting,1,{for},f,f,t)
-- app.event_types: (session.saved,1,{},f,t,f)
-- app.event_types: (session.updated,1,{},f,f,f)
-- app.event_types: (task.approved,1,{},f,f,f)
-- app.event_types: (task.blocked,1,{reason},f,f,f)
-- app.event_types: (task.cancelled,1,{reason},f,f,f)
-- app.event_types: (task.claimed,1,{ttl_seconds},f,f,f)
-- app.event_types: (task.completed,1,{},f,f,f)
-- app.event_types: (task.created,1,{title},f,t,f)
-- app.event_types: (task.dependencies_changed,1,{},f,f,f)
-- app.event_types: (task.lock_broken,1,{reason},f,f,f)
-- app.event_types: (task.noted,1,"{text,kind}",f,f,f)
-- app.event_types: (task.released,1,"{outcome,reason}",f,f,f)
-- app.event_types: (task.reopened,1,{reason},f,f,f)
-- app.event_types: (task.returned,1,{reason},t,f,f)
-- app.event_types: (task.submitted,1,{},t,f,f)
-- app.event_types: (task.unblocked,1,{},f,f,f)
-- app.event_types: (task.updated,1,{},f,f,f)
-- app.event_types: (task.warned,1,"{dependency,reason}",t,f,f)

-- Functions

CREATE OR REPLACE FUNCTION app.apply_request(request jsonb, actor app.actor, at timestamp with time zone, room integer)
 RETURNS app.applied
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_applied app.applied := app.apply_event(app.new_event(request, actor, at),
    coalesce(request -> 'expect', '{}'), actor);
  v_event public.events := v_applied.event;
begin
  if v_event.event_type in ('task.cancelled', 'task.reopened')
      and (select count(*) from (select from app.concerned_tasks(v_event) limit room + 1) t) > room then
    perform app.fail('illegal_transition',
      format('Task %s cannot be %s: more than %s tasks that depend on it would change with it.',
        v_applied.state ->> 'ref', split_part(v_event.event_type, '.', 2), room),
      jsonb_build_object('dependents_max', room),
      'Take it out of the dependencies of some (update_task with remove_dependencies) or cancel those, '
      'then repeat the call.');
  end if;
  return v_applied;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.build_page(name text, items jsonb[], size integer, question text, id_path text[], at_path text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return jsonb_strip_nulls(jsonb_build_object(name, to_jsonb(coalesce(items[:size], '{}')),
    'next_cursor', case when cardinality(items) > size then app.encode_cursor(
      jsonb_build_object('of', question, 'id', items[size] #> id_path, 'at', items[size] #> at_path)) end));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.chain_head(tenant_id uuid, project_id uuid)
 RETURNS bytea
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_hash bytea;
begin
  if project_id is null then
    select e.hash into v_hash from public.events e
      where e.tenant_id = chain_head.tenant_id and e.project_id is null
      order by e.seq desc limit 1;
  else
    select e.hash into v_hash from public.events e
      where e.tenant_id = chain_head.tenant_id and e.project_id = chain_head.project_id
      order by e.seq desc limit 1;
  end if;
  if not found then
    select c.hash into v_hash from app.archived_chains c
      where c.tenant_id = chain_head.tenant_id and c.project_id is not distinct from chain_head.project_id;
  end if;
  return v_hash;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_data(event_type text, data jsonb, path text DEFAULT ''::text, recorded boolean DEFAULT false)
 RETURNS app.event_types
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_type app.event_types;
  v_missing text;
  v_field record;
begin
  select * into v_type from app.event_types t where t.event_type = check_data.event_type;
  if not found then
    perform app.fail('invalid_input', format('There is no event type %s.', left(event_type, 80)));
  elsif not data ?& v_type.required then
    select r into v_missing from unnest(v_type.required) r
      where not data ? r and not (recorded and r = 'project') limit 1;
    if found then
      perform app.fail('invalid_input', format('%s needs the field %s.', event_type, v_missing),
        jsonb_build_object('field', path || v_missing));
    end if;
  end if;
  select d.key, f.* into v_field from jsonb_each(data) d
    left join app.event_fields f
      on f.event_type = check_data.event_type and f.field = d.key and (recorded or not f.by_door)
    where f.field is null
      or not app.validate_field(d.value, f.kind,
          case when recorded and f.kind = 'object' then 2 * f.size_max else f.size_max end, f.one_of, f.item_max)
        and not (d.value = 'null' and f.kind in ('ref', 'number') and not f.required)
      or recorded and f.kind in ('ref', 'ref[]') and f.field not in ('slug', 'ref') and not app.are_ids(d.value)
    limit 1;
  if not found then
    return v_type;
  elsif v_field.field is null then
    perform app.fail('invalid_input', format('%s has no field %s.', event_type, left(v_field.key, 80)),
      jsonb_build_object('field', path || left(v_field.key, 200)));
  end if;
  perform app.fail('invalid_input', format('%s of %s is not valid: allowed is %s.', v_field.field, event_type,
    case v_field.kind when 'one_of' then 'one of ' || array_to_string(v_field.one_of, ', ')
      when 'line' then 'one line of 1 to ' || v_field.size_max || ' characters without control characters'
      when 'text' then 'text of at most ' || v_field.size_max || ' characters without control characters'
      when 'said' then 'text of 1 to ' || v_field.size_max || ' characters without control characters'
      when 'integer' then 'a whole number from 0 to ' || v_field.size_max
      when 'positive' then 'a whole number from 1 to ' || v_field.size_max
      when 'number' then 'zero, or a number from 10^-15 to 10^15 on either side of it'
      when 'fraction' then 'a number from 0 to 1'
      when 'label[]' then
        format('a list of at most %s labels, each one line of 1 to %s characters that can be seen', v_field.size_max,
          v_field.item_max)
      when 'text[]' then
        format('a list of at most %s texts, each of 1 to %s characters without control characters', v_field.size_max,
          v_field.item_max)
      when 'object' then
        'an object of at most ' || v_field.size_max || ' bytes and 32 levels, without control characters'
      when 'array' then
        'a list of at most ' || v_field.size_max || ' bytes and 32 levels, without control characters'
      else v_field.kind || coalesce(' of size at most ' || v_field.size_max, '') end),
    jsonb_build_object('field', path || v_field.field));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_number(field text, given bigint, from_number bigint, most bigint)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if (given between from_number and most) is not true then
    perform app.fail('invalid_input',
      format('%s is %s; allowed is %s to %s.', field, coalesce(given::text, 'null'), from_number, most),
      jsonb_build_object('field', field));
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.check_recorded(event public.events)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_slug text;
begin
  perform app.check_data(event.event_type, event.payload, '', true);
  if event.event_type = 'project.created' and not app.is_slug(event.payload ->> 'slug') then
    perform app.fail('invalid_input', 'The slug must be 1 to 31 lower-case letters, digits and dashes.',
      jsonb_build_object('field', 'slug'));
  elsif event.event_type = 'task.created' then
    v_slug := coalesce((
        select p.slug from public.projects p
        where p.tenant_id = event.tenant_id and p.id = event.project_id),
      (
        select e.payload ->> 'slug' from public.events e
        where e.tenant_id = event.tenant_id and e.stream = 'project:' || event.project_id and e.version = 1));
    if event.payload ->> 'project_id' is distinct from event.project_id::text
        or event.payload ->> 'ref' is distinct from v_slug || '-' || (event.payload ->> 'number') then
      perform app.fail('invalid_input', 'The ref and project_id must be those of the event''s project.',
        jsonb_build_object('field', 'ref'));
    end if;
  elsif event.event_type in ('task.approved', 'memory.approved') and event.actor ->> 'agent' is not null then
    perform app.fail('invalid_input', format('A person approves a %s: the actor must name no agent.',
        split_part(event.event_type, '.', 1)), jsonb_build_object('field', 'actor'));
  elsif event.event_type like 'report.%' then
    perform app.check_report_items(event.payload);
  elsif event.event_type = 'memory.remembered' then
    perform app.check_form('scope', app.memory_subject(event) is not null, 'one that has a subject');
  end if;
  -- A task waits for tasks that were there before.
  if event.event_type in ('task.created', 'task.dependencies_changed') and exists (
      select from jsonb_array_elements_text(
        coalesce(event.payload -> 'dependencies', '[]') || coalesce(event.payload -> 'add', '[]')) d
      where app.as_uuid(d) = event.task_id
        or app.stream_project(event.tenant_id, 'task:' || app.as_uuid(d)) is distinct from event.project_id) then
    perform app.fail('invalid_input', 'Dependencies must be earlier tasks of the same project.',
      jsonb_build_object('field', 'dependencies'));
  end if;
  if event.event_type in ('task.created', 'task.updated') and event.payload ->> 'parent' is not null
      and app.stream_project(event.tenant_id, 'task:' || app.as_uuid(event.payload ->> 'parent'))
        is distinct from event.project_id then
    perform app.fail('invalid_input', 'The parent must be an earlier task of the same project.',
      jsonb_build_object('field', 'parent'));
  end if;
  if event.payload ? 'rules' then
    perform app.check_rules(event.payload -> 'rules');
  end if;
  if event.payload ? 'variables' then
    perform app.check_variables(event.payload -> 'variables');
  end if;
  if event.payload ? 'constraints' then
    perform app.check_scope(event.payload -> 'constraints', 'constraints');
  end if;
  if event.payload ? 'evidence' and not app.is_evidence(event.payload -> 'evidence') then
    perform app.fail('invalid_input', 'evidence must be a list of {criterion, note or artifact}.',
      jsonb_build_object('field', 'evidence'));
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.declare_event(event_type text, VARIADIC words text[] DEFAULT '{}'::text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_type app.event_types;
  v_fields app.event_fields[];
  -- A superuser is not bound, nor is the owner before the tables are secured: that spares a new database the changes.
  v_is_bound constant boolean := row_security_active('app.event_types');
begin
  v_fields := array(
    select row(
        declare_event.event_type, rtrim(w.name, '!+'), w.kind, w.name like '%!',
        case when w.kind <> 'one_of' then w.size::integer end,
        case when w.kind = 'one_of' then string_to_array(w.size, '|') end,
        w.name like '%+',
        w.item::integer)::app.event_fields
    from unnest(words) x
    cross join lateral (
      select split_part(x, ':', 1) as name, split_part(x, ':', 2) as kind, nullif(split_part(x, ':', 3), '') as size,
        nullif(split_part(x, ':', 4), '') as item) w
    where x like '%:%'
    order by 1);
  v_type := row(declare_event.event_type, 1,
    array(select split_part(w, '!', 1) from unnest(words) w where w like '%!:%'),
    'internal' = any (words), 'creates' = any (words), 'verb_only' = any (words));
  if v_type = (select t from app.event_types t where t.event_type = declare_event.event_type)
      and v_fields = array(
        select f from app.event_fields f
        where f.event_type = declare_event.event_type
        order by f) then
    return;
  end if;
  if v_is_bound then
    alter table app.event_types no force row level security;
    alter table app.event_fields no force row level security;
  end if;
  delete from app.event_fields f where f.event_type = declare_event.event_type;
  insert into app.event_types values (v_type.*)
    on conflict on constraint event_types_pkey do update
      set (schema_version, required, internal, creates, verb_only)
          = (excluded.schema_version, excluded.required, excluded.internal, excluded.creates, excluded.verb_only);
  insert into app.event_fields select (f).* from unnest(v_fields) f;
  if v_is_bound then
    alter table app.event_types force row level security;
    alter table app.event_fields force row level security;
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.decode_cursor(cursor text, question text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_position jsonb;
begin
  if cursor is null or cursor = '' then
    return null;
  end if;
  begin
    v_position := convert_from(decode(
      rpad(translate(cursor, '-_', '+/'), (4 * ceil(length(cursor) / 4.0))::integer, '='), 'base64'), 'UTF8')::jsonb;
    perform (v_position ->> 'at')::timestamptz, (v_position ->> 'id')::uuid, (v_position ->> 'rank')::smallint,
      (v_position ->> 'place')::double precision,
      (v_position ->> 'number')::integer, (v_position ->> 'seq')::bigint;
    if (v_position ->> 'from')::integer < 0 then
      v_position := null;
    end if;
  exception
    when others then v_position := null;
  end;
  if v_position ->> 'of' is distinct from question then
    perform app.fail('invalid_input', 'The cursor is not valid for this list.', jsonb_build_object('field', 'cursor'),
      'Pass the next_cursor of the page before, with the same filters, or none to start again.');
  end if;
  return v_position;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.encode_cursor(place jsonb)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select translate(encode(convert_to(place::text, 'UTF8'), 'base64'), E'+/=\n', '-_')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.event_hash(event public.events)
 RETURNS bytea
 LANGUAGE sql
 STABLE
AS $function$
  select sha256(coalesce(event.prev_hash, ''::bytea)
    || convert_to(jsonb_build_array(event.stream, event.version, event.event_type, event.schema_version,
         (extract(epoch from event.created_at) * 1000000)::bigint, event.actor)::text, 'UTF8')
    || event.payload_hash)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_event(ref text, actor app.actor)
 RETURNS public.events
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_event public.events;
begin
  if ref ~ '^#?[0-9]{1,18}$' then
    select * into v_event from public.events e where e.tenant_id = actor.tenant_id and e.seq = ltrim(ref, '#')::bigint;
  else
    select * into v_event from public.events e where e.tenant_id = actor.tenant_id and e.id = app.as_uuid(ref);
  end if;
  if v_event.id is null then
    perform app.fail('not_found', format('There is no event %s in this workspace.', left(ref, 80)), null,
      'list_events shows positions (#12).');
  end if;
  return v_event;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_idempotent_result(actor app.actor, command jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_key app.idempotency_keys;
  v_name text;
  v_lock bigint;
begin
  if jsonb_typeof(command) <> 'object' then
    perform app.fail('invalid_input', 'command must be an object with key and fingerprint.',
      jsonb_build_object('field', 'command'), 'Leave it out where the call is not to be repeated.');
  elsif command ->> 'key' is null then
    return null;
  end if;
  if char_length(command ->> 'key') not between 1 and 200 then
    perform app.fail('invalid_input', 'idempotency_key must have 1 to 200 characters.',
      jsonb_build_object('field', 'idempotency_key'));
  end if;
  if char_length(command ->> 'fingerprint') > 200 then
    perform app.fail('invalid_input', 'fingerprint must have at most 200 characters.',
      jsonb_build_object('field', 'fingerprint'));
  end if;
  v_name := app.key_name(actor, command);
  v_lock := hashtextextended(concat_ws(' ', actor.tenant_id, actor.user_id, v_name), 0);
  if not pg_try_advisory_xact_lock(v_lock) then
    perform pg_advisory_xact_lock(v_lock);
  end if;
  select * into v_key from app.idempotency_keys k
    where k.tenant_id = actor.tenant_id and k.user_id = actor.user_id and k.key = v_name;
  if not found then
    return null;
  end if;
  if v_key.fingerprint <> coalesce(command ->> 'fingerprint', '') then
    perform app.fail('idempotency_mismatch', 'This idempotency_key was used before for another request.', null,
      'Use a new key for a new request; repeat the request unchanged to get its first answer again.');
  end if;
  return v_key.result;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_key_lifetime()
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
RETURN '7 days'::interval;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.key_name(actor app.actor, command jsonb)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select concat_ws(' ', actor.project_id, command ->> 'key')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.next_version(current bigint, expect jsonb, what text)
 RETURNS bigint
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if expect ->> 'version' is not null and expect ->> 'version' <> coalesce(current, 0)::text then
    perform app.fail('version_conflict',
      format('The %s is at version %s, not %s.', what, coalesce(current, 0), left(expect ->> 'version', 20)),
      jsonb_build_object('version', coalesce(current, 0)),
      'Read it again, look at what changed, then repeat with the new version.');
  end if;
  return coalesce(current, 0) + 1;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.page_size(asked integer, most integer)
 RETURNS integer
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if (asked between 1 and most) is not true then
    perform app.fail('invalid_input',
      format('page_size is %s; allowed is 1 to %s.', coalesce(asked::text, 'null'), most),
      jsonb_build_object('field', 'page_size'));
  end if;
  return asked;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.payload_hash(payload jsonb)
 RETURNS bytea
 LANGUAGE sql
 STABLE
AS $function$
  select sha256(convert_to(payload::text, 'UTF8'))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.record_events(pending public.events[])
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_event public.events;
  v_seq bigint;
  v_head bytea;
  v_project uuid;
begin
  update app.positions p set seq = p.seq + cardinality(pending)
    where p.tenant_id = pending[1].tenant_id returning p.seq - cardinality(pending) into strict v_seq;
  foreach v_event in array pending loop
    if v_head is null or v_event.project_id is distinct from v_project then
      v_project := v_event.project_id;
      v_head := app.chain_head(v_event.tenant_id, v_project);
    end if;
    v_seq := v_seq + 1;
    v_event.seq := v_seq;
    v_event.prev_hash := v_head;
    v_event.payload_hash := app.payload_hash(v_event.payload);
    v_event.hash := app.event_hash(v_event);
    v_head := v_event.hash;
    insert into public.events select v_event.*;
  end loop;
  return v_seq;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.refuse_rewrite()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if tg_op <> 'TRUNCATE' and current_user = 'cairn_keeper' then
    return case tg_op when 'DELETE' then old else new end;
  end if;
  perform app.fail('forbidden', format('The log is append-only: %s of events is not possible.', lower(tg_op)),
    null, 'To hide a leaked secret use redact_event; to rebuild the read model use replay_events.');
  return null;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.resolve_answer(event public.events)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor;
begin
  if not event.payload ? 'answers' then
    return event.payload;
  end if;
  v_actor.tenant_id := event.tenant_id;
  return event.payload || jsonb_build_object('answers', (app.find_event(event.payload ->> 'answers', v_actor)).id);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.save_idempotent_result(actor app.actor, command jsonb, result jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if command ->> 'key' is not null then
    insert into app.idempotency_keys (tenant_id, user_id, key, fingerprint, result, created_at)
      values (actor.tenant_id, actor.user_id, app.key_name(actor, command), coalesce(command ->> 'fingerprint', ''),
        result, app.now());
  end if;
  return result;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.set_rows(table_name regclass, rows jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_columns text[] := array(
    select a.attname from pg_attribute a
    where a.attrelid = table_name and a.attnum > 0 and not a.attisdropped
    order by a.attnum);
  v_wanted jsonb := (
    select jsonb_agg(jsonb_object(v_columns, array(select jsonb_array_elements_text(r.value))) order by r.value)
    from jsonb_array_elements(rows) r);
  v_query text := format('select x.* from jsonb_populate_recordset(null::%s, $1) x', table_name);
  v_differs boolean;
begin
  execute format('select exists ((%1$s except table %2$s) union all (table %2$s except %1$s))', v_query, table_name)
    into v_differs using v_wanted;
  if v_differs then
    execute format('alter table %s no force row level security', table_name);
    execute format('delete from %s', table_name);
    execute format('insert into %s %s', table_name, v_query) using v_wanted;
    execute format('alter table %s force row level security', table_name);
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.snapshot_event(left_behind app.archived_streams)
 RETURNS public.events
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_event public.events;
begin
  v_event.tenant_id := left_behind.tenant_id;
  v_event.stream := left_behind.stream;
  v_event.version := left_behind.version;
  v_event.event_type := 'archive.snapshot';
  v_event.payload := left_behind.state;
  return v_event;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.stream_id(stream text)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select split_part(stream, ':', 2)::uuid
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.upcast_event(event public.events)
 RETURNS public.events
 LANGUAGE sql
 STABLE
AS $function$
  select case when event.cleaned_hash is null then event else app.clean_actor(event) end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.purge_idempotency_keys(actor jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_purged bigint;
begin
  perform app.refuse_limited(v_actor);
  delete from app.idempotency_keys k
    where k.tenant_id = v_actor.tenant_id and k.created_at < app.now() - app.get_key_lifetime();
  get diagnostics v_purged = row_count;
  return jsonb_build_object('purged', v_purged);
end
$function$;
-- owner cairn_owner

-- Privileges

grant delete, insert, select, update on app.archived_chains to cairn_owner;
grant delete, insert, select, update on app.archived_streams to cairn_owner;
grant select on app.event_fields to cairn_keeper;
grant select on app.event_fields to cairn_owner;
grant select on app.event_types to cairn_keeper;
grant select on app.event_types to cairn_owner;
grant delete on app.idempotency_keys to cairn_keeper;
grant delete, insert, select, update on app.idempotency_keys to cairn_owner;
grant delete, insert, select, update on app.positions to cairn_owner;
grant execute on function app.get_key_lifetime() to cairn_keeper;
grant execute on function public.purge_idempotency_keys(jsonb) to authenticated;
grant execute on function public.purge_idempotency_keys(jsonb) to cairn_server;
grant execute on function public.purge_idempotency_keys(jsonb) to service_role;
grant select on public.events to authenticated;
grant delete, select, update (payload), update (redacted_at) on public.events to cairn_keeper;
grant insert, select on public.events to cairn_owner;
