import type { Json, Schema } from '../../supabase/types.ts';

type Functions = Schema['public']['Functions'];

/** The name of a SQL function that the schema has. */
export type FunctionName = keyof Functions;

/** How long a call may take: `short` while an agent waits, `long` for work over a whole log. */
type Patience = 'short' | 'long';

/** The functions of authorization (`src/auth`, `src/services/access.ts`), only for the server's own role. */
export const AUTH_FUNCTIONS = Object.freeze({
  accept_invitation: 'short',
  admit_browser: 'short',
  admit_identity: 'short',
  answer_authorization: 'short',
  authenticate_token: 'short',
  block_client: 'short',
  create_pat: 'short',
  end_session: 'short',
  get_client: 'short',
  get_password: 'short',
  get_session: 'short',
  invite_member: 'short',
  list_auth_events: 'short',
  list_clients: 'short',
  list_connections: 'short',
  list_members: 'short',
  list_secrets: 'short',
  list_served_urls: 'short',
  open_authorization: 'short',
  purge_auth: 'long',
  record_auth_event: 'short',
  redeem_code: 'short',
  refresh_token: 'short',
  remove_client: 'short',
  revoke_access: 'short',
  revoke_invitation: 'short',
  revoke_token: 'short',
  rotate_secrets: 'short',
  save_client: 'short',
  save_login_code: 'short',
  save_served_url: 'short',
  save_static_client: 'short',
  set_member: 'short',
  set_password: 'short',
  start_authorization: 'short',
  start_login: 'short',
  start_session: 'short',
  take_attempt: 'short',
  take_known_attempt: 'short',
  take_login: 'short',
  take_login_code: 'short',
  trusts_client: 'short',
} as const satisfies Partial<Record<FunctionName, Patience>>);

/** The steps of archiving, only for the server's own role: the caller has written the files. */
export const ARCHIVE_FUNCTIONS = Object.freeze({
  archive_events: 'long',
  plan_archive: 'short',
  snapshot_events: 'long',
} as const satisfies Partial<Record<FunctionName, Patience>>);

/** What a worker asks, in no workspace or in each by itself, and what people say of jobs. Only for the server's role. */
export const JOB_FUNCTIONS = Object.freeze({
  analyze_records: 'long',
  archive_records: 'long',
  change_job: 'short',
  claim_job: 'short',
  due_jobs: 'short',
  drop_partition: 'long',
  due_records: 'long',
  extend_job: 'short',
  finish_job: 'short',
  forget_record_file: 'short',
  list_jobs: 'short',
  make_partitions: 'short',
  measure_records: 'long',
  record_files_to_remove: 'short',
  register_jobs: 'short',
  set_job: 'short',
  settle_runs: 'short',
} as const satisfies Partial<Record<FunctionName, Patience>>);

/** Every SQL function that the program may call. */
export const FUNCTIONS = Object.freeze({
  ...AUTH_FUNCTIONS,
  ...ARCHIVE_FUNCTIONS,
  ...JOB_FUNCTIONS,
  add_chat_steps: 'short',
  add_output: 'short',
  add_steps: 'short',
  adopt_locks: 'short',
  append_events: 'short',
  beat_agent: 'short',
  call_in: 'short',
  check_events: 'long',
  claim_run: 'short',
  claim_task: 'short',
  compare_checkpoint: 'short',
  decide_approval: 'short',
  decide_memory: 'short',
  export_events: 'long',
  extend_lock: 'short',
  get_agent: 'short',
  get_approval: 'short',
  get_checkpoint: 'short',
  get_command: 'short',
  get_control: 'short',
  get_position: 'short',
  get_project: 'short',
  get_report: 'short',
  get_run: 'short',
  get_state: 'short',
  get_task: 'short',
  import_events: 'long',
  import_records: 'long',
  list_agents: 'short',
  list_alerts: 'short',
  list_approvals: 'short',
  list_archives: 'short',
  list_artifacts: 'short',
  list_audit: 'short',
  list_checkpoints: 'short',
  list_commands: 'short',
  list_costs: 'short',
  list_decisions: 'short',
  list_events: 'short',
  list_memories: 'short',
  list_model_prices: 'short',
  list_needs: 'short',
  list_output: 'short',
  list_presets: 'short',
  list_profiles: 'short',
  list_projects: 'short',
  list_questions: 'short',
  list_queue: 'short',
  list_record_parts: 'short',
  list_reports: 'short',
  list_runs: 'short',
  list_sessions: 'short',
  list_steps: 'short',
  list_tasks: 'short',
  purge_idempotency_keys: 'short',
  read_records: 'long',
  recall_memories: 'short',
  redact_event: 'short',
  register_agent: 'short',
  replay_events: 'long',
  report_presence: 'short',
  report_run: 'short',
  resume_project: 'short',
  search: 'short',
  set_model_price: 'short',
  sign_in: 'short',
  set_agents_max: 'short',
  set_output_quota: 'short',
  set_output_search: 'long',
  stop_agents: 'short',
  suggest_refs: 'short',
  verify_events: 'long',
} as const satisfies Record<FunctionName, Patience>);

/** Functions that may add events, or stop agents; afterwards, others who wait for events or for control are told. */
export const GROWING: ReadonlySet<FunctionName> = new Set([
  'append_events',
  'call_in',
  'claim_run',
  'claim_task',
  'decide_approval',
  'decide_memory',
  'import_events',
  'redact_event',
  'register_agent',
  'report_run',
  'stop_agents',
  'verify_events',
]);

/** Functions that nobody waits for: they neither start a stopped server nor use a connection that others wait for. */
export const QUIET: ReadonlySet<FunctionName> = new Set([
  'claim_job',
  'due_jobs',
  'extend_job',
  'finish_job',
  'purge_idempotency_keys',
  'register_jobs',
  'report_presence',
]);

type Named<Fn extends FunctionName> = Omit<Functions[Fn]['Args'], 'actor'>;

/** The arguments of a SQL function by name, but for the actor. What is in JSON is for the function to check. */
export type Arguments<Fn extends FunctionName> = {
  [Name in keyof Named<Fn>]:
    | (Json extends Named<Fn>[Name] ? object : Named<Fn>[Name])
    | (object extends Pick<Named<Fn>, Name> ? undefined : never);
};

export type AuthFunctionName = keyof typeof AUTH_FUNCTIONS;

export type JobFunctionName = keyof typeof JOB_FUNCTIONS;
