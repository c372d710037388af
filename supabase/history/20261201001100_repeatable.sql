-- From here on tables are versioned and code is repeatable: what was applied, and which programs may use it.
create table supabase_migrations.cairn_applied (
  name text primary key check (name ~ '^([0-9]{14}|[a-z]+)$'),
  hash text not null check (hash ~ '^[0-9a-f]{64}$'),
  program text not null,
  applied_at timestamptz not null default now()
);
create table supabase_migrations.cairn_admission (
  oldest_program text not null check (oldest_program ~ '^[0-9]+[.][0-9]+[.][0-9]+$')
);
insert into supabase_migrations.cairn_admission (oldest_program) values ('0.1.0');

-- Its parameter has another name there.
drop function app.declare_event(text, text[]);

-- Words of the field.
alter function app.ago(timestamp with time zone) rename to format_age;
alter function app.answer(events[],jsonb[],integer,bigint) rename to build_answer;
alter function app.append(jsonb,app.actor) rename to append_checked;
alter function app.audit(jsonb,jsonb) rename to record_audit;
alter function app.blanked(events) rename to blank_payload;
alter function app.by(events) rename to actor_name;
alter function app.caller() rename to get_caller_id;
alter function app.caused(jsonb,events,integer) rename to mark_follow_up;
alter function app.dependents(tasks) rename to list_dependents;
alter function app.enter(jsonb,text) rename to authenticate;
alter function app.enter_person(jsonb,text) rename to authenticate_person;
alter function app.enter_server(jsonb,text) rename to authenticate_server;
alter function app.enter_workspace(jsonb) rename to authenticate_workspace;
alter function app.fits(jsonb,text,integer,text[]) rename to validate_field;
alter function app.fold(text) rename to fold_text;
alter function app.fold_on(uuid,events[]) rename to apply_imported;
alter function app.folded(text,uuid,uuid,bigint,text[]) rename to fold_streams;
alter function app.ip(jsonb) rename to read_ip;
alter function app.meets(jsonb,jsonb,text) rename to match_condition;
alter function app.mint(app.oauth_grants,text,jsonb,jsonb) rename to issue_tokens;
alter function app.nobody() rename to get_nil_id;
alter function app.page(text,jsonb[],integer,text,text[],text[]) rename to build_page;
alter function app.place(inet) rename to mask_address;
alter function app.presented() rename to get_credential_hash;
alter function app.project() rename to get_token_project;
alter function app.reaches(uuid) rename to token_allows_project;
alter function app.rebuild(uuid,text[]) rename to rebuild_model;
alter function app.recall(app.actor,jsonb) rename to find_idempotent_result;
alter function app.remember(app.actor,jsonb,jsonb) rename to save_idempotent_result;
alter function app.searchable(uuid) rename to list_searchable;
alter function app.signed_in() rename to get_signed_in_id;
alter function app.tenant() rename to get_tenant_id;
alter function app.unproven(tasks) rename to list_unproven;
alter function app.upcast(events) rename to upcast_event;
alter function app.workspaces(uuid) rename to list_workspaces;
