/**
 * Every SQL function that the program may call, and how long a call may take: `short` for what an agent waits for,
 * `long` for work over a whole log.
 */
export const FUNCTIONS = Object.freeze({
  append_events: 'short',
  claim_task: 'short',
  compare_checkpoint: 'short',
  export_events: 'long',
  extend_lock: 'short',
  get_checkpoint: 'short',
  get_position: 'short',
  get_project: 'short',
  get_state: 'short',
  get_task: 'short',
  import_events: 'long',
  list_artifacts: 'short',
  list_checkpoints: 'short',
  list_decisions: 'short',
  list_events: 'short',
  list_projects: 'short',
  list_sessions: 'short',
  list_tasks: 'short',
  purge_idempotency_keys: 'short',
  redact_event: 'short',
  replay_events: 'long',
  resume_project: 'short',
  search: 'short',
  sign_in: 'short',
  suggest_refs: 'short',
  verify_events: 'long',
} as const);

/** Those that may add events, after which others who wait for them are told. */
export const GROWING: ReadonlySet<FunctionName> = new Set([
  'append_events',
  'claim_task',
  'import_events',
  'redact_event',
]);

export type FunctionName = keyof typeof FUNCTIONS;
