// Names that others were promised: programs, reports and other chapters go by them. What has them already is compared
// with the database by test/schema/required-names.test.ts; what is `LATER` must not be there, and moves up when it is.

type Relation = { is: 'table' | 'view'; columns: string; values?: Record<string, string> };

const COMMAND_TYPES = 'natural investigate review plan synthesize';

/** In the schema public. A column with values takes these at least. */
export const RELATIONS: Readonly<Record<string, Relation>> = Object.freeze({
  agents: {
    is: 'table',
    columns: `tenant_id id user_id name type status activity_state host_machine connected_at disconnected_at
      health_metrics config created_at updated_at`,
    values: { status: 'online offline connecting error', activity_state: 'idle processing queued' },
  },
  commands: {
    is: 'table',
    columns: `tenant_id id user_id content type target_agents broadcast status priority mode execution_constraints
      preset_id constraint_id task_id started_at completed_at error created_at updated_at`,
    values: {
      type: COMMAND_TYPES,
      status: 'pending queued executing completed failed cancelled',
      mode: 'turn steer interrupt',
    },
  },
  terminal_outputs: {
    is: 'table',
    columns: `tenant_id id run_id command_id agent_id attempt stream_type content ansi_codes timestamp sequence
      created_at`,
    values: { stream_type: 'stdout stderr' },
  },
  command_presets: {
    is: 'table',
    columns: `tenant_id id user_id name description content type target_agent_types variables usage_count last_used_at
      created_at updated_at`,
    values: { type: COMMAND_TYPES },
  },
  execution_constraints: {
    is: 'table',
    columns: `tenant_id id name description time_limit_ms token_budget memory_limit_mb cpu_limit_percent is_default
      created_at updated_at`,
  },
  // A stored position would renumber the queue at each urgent command.
  command_queue: {
    is: 'view',
    columns: `tenant_id id command_id agent_id position priority status enqueued_at started_at interrupt_requested
      interrupt_reason`,
    values: { status: 'waiting processing interrupted' },
  },
  approvals: {
    is: 'table',
    columns: `tenant_id id user_id run_id task_id kind status asked_by expires_at decided_by decided_at answer
      created_at updated_at`,
    values: { status: 'pending approved denied expired' },
  },
  agent_runs: {
    is: 'table',
    columns: `tenant_id id user_id mode status agent_id task_id command_id parent_run_id project_id attempt attempts_max
      priority end_reason error started_at ended_at interrupt_requested interrupt_reason delivery_path delivered_at
      acked_at expires_at lock_token steps_count tokens_in tokens_out cost_credits duration_ms metrics created_at
      updated_at`,
    values: { delivery_mode: 'turn steer interrupt' },
  },
  agent_steps: {
    is: 'table',
    columns: `tenant_id run_id trace_id span_id parent_span_id kind name tool_type status started_at completed_at
      duration_ms tokens_in tokens_out tokens_cached cost_credits tool_call_id envelope_id error content attributes
      run_created_at`,
    values: { kind: 'llm_prompt tool_call response' },
  },
  trace_entries: {
    is: 'view',
    columns: `tenant_id id command_id agent_id run_id parent_id type name content started_at completed_at duration_ms
      tokens_used error metadata created_at`,
  },
  agent_messages: { is: 'table', columns: 'tenant_id run_id seq role parts tokens created_at' },
  investigation_reports: {
    is: 'table',
    columns: `tenant_id id command_id agent_id run_id project_id user_id title summary status content attachments
      vector_embedding created_at updated_at completed_at`,
    values: { status: 'draft in_progress complete' },
  },
  agent_memory: {
    is: 'table',
    columns: `tenant_id id run_id project_id user_id scope subject_id kind key text confidence source_event_id
      superseded_by expires_at created_at updated_at`,
    values: { scope: 'run agent project workspace', kind: 'fact preference procedure hypothesis' },
  },
  audit_entries: {
    is: 'table',
    columns: 'tenant_id id event_type user_id agent_id command_id details ip_address user_agent created_at',
    values: { event_type: 'agent_connect agent_disconnect preset_used retention_run' },
  },
  audit_logs: {
    is: 'view',
    columns: 'tenant_id id event_type user_id agent_id command_id details ip_address user_agent created_at',
    // With those of audit_entries.
    values: {
      event_type: `command_sent command_completed emergency_stop token_limit_exceeded time_limit_exceeded user_login
        user_logout preset_created command_delivered command_interrupted command_expired approval_requested
        approval_decided`,
    },
  },
  // Artifacts of runs are among those of tasks.
  agent_artifacts: {
    is: 'view',
    columns: 'tenant_id id run_id project_id task_id user_id storage_key sha256 size_bytes media_type created_at',
  },
  system_config: { is: 'table', columns: 'key value version updated_at updated_by' },
  system_config_history: { is: 'table', columns: 'key value version changed_at changed_by' },
  tenants: { is: 'table', columns: 'id agent_enabled agent_settings' },
});

/** Types of the schema public, with their values in order. */
export const ENUMS: Readonly<Record<string, string>> = Object.freeze({
  agent_run_status: 'pending queued running waiting_input waiting_approval paused completed failed cancelled timed_out',
  agent_step_status: 'pending running completed failed skipped cancelled',
  tool_type: 'llm code shell browser search file connector mcp image data subagent human',
  agent_mode: `chat task plan review investigate synthesize code research wide_research autonomous scheduled
    reflection`,
});

/** Event types, by category. An interrupt is asked for: `run.finished` says that it came. */
export const EVENTS: Readonly<Record<string, string>> = Object.freeze({
  agent: 'registered renamed configured paused resumed retired',
  command: 'sent started completed failed cancelled',
  run: 'queued claimed delivered acknowledged waiting paused resumed requeued interrupt_requested finished',
  approval: 'requested decided expired',
  preset: 'saved removed',
  profile: 'saved removed',
  report: 'saved completed',
  memory: 'remembered forgotten',
});

/** Values of `end_reason` in `run.finished`, at least. */
export const END_REASONS = 'interrupted time_limit token_limit emergency_stop expired lost error';

/** Functions, in the schema public or app. */
export const FUNCTIONS = 'check_run_completion';

/**
 * Triggers, by the table that they are on. What ends a run is an event, and comes by the door: `check_run_completion` is
 * a function of that name, and no trigger. That all its steps have ended would be no sign.
 */
export const TRIGGERS: Readonly<Record<string, string>> = Object.freeze({
  agent_steps: 'trigger_update_run_statistics',
});

/** Promised, and not there yet. */
export const LATER = Object.freeze({
  relations: '',
  functions: '',
  triggers: '',
  events: '',
});

export function words(list: string): string[] {
  return list.trim().split(/\s+/);
}
