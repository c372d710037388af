// The names that users and their SQL rely on, copied by hand from the reference: nothing here follows the schema.

const ID = { id: 'uuid', user_id: 'uuid', created_at: 'timestamp with time zone' };

export const COLUMNS: Record<string, Record<string, string>> = {
  projects: { ...ID, name: 'text', description: 'text', rules: 'jsonb', updated_at: ID.created_at },
  tasks: {
    ...ID,
    project_id: 'uuid',
    title: 'text',
    description: 'text',
    acceptance_criteria: 'text[]',
    constraints: 'jsonb',
    dependencies: 'uuid[]',
    status: 'text',
    priority: 'text',
    locked_at: ID.created_at,
    locked_by: 'text',
    updated_at: ID.created_at,
  },
  events: { ...ID, project_id: 'uuid', task_id: 'uuid', event_type: 'text', payload: 'jsonb' },
  artifacts: { ...ID, task_id: 'uuid', type: 'text', ref: 'text', summary: 'text' },
  checkpoints: {
    ...ID,
    project_id: 'uuid',
    label: 'text',
    repo_ref: 'text',
    summary: 'text',
    resume_instructions: 'text',
    snapshot: 'jsonb',
  },
  decisions: { ...ID, project_id: 'uuid', title: 'text', options: 'jsonb', choice: 'text', rationale: 'text' },
  agent_sessions: { ...ID, project_id: 'uuid', snapshot: 'jsonb', summary: 'text', updated_at: ID.created_at },
  oauth_tokens: {
    ...ID,
    access_token: 'text',
    refresh_token: 'text',
    token_type: 'text',
    expires_at: ID.created_at,
    scope: 'text',
    client_id: 'text',
    updated_at: ID.created_at,
    revoked_at: ID.created_at,
  },
};

export const INDEXES = [
  ...['status', 'locked_at', 'priority'].map((name) => `idx_tasks_${name}`),
  ...['project_id', 'task_id', 'user_id', 'event_type', 'created_at', 'project_created', 'task_created'].map(
    (name) => `idx_events_${name}`,
  ),
  ...['task_id', 'user_id', 'type', 'created_at', 'task_created'].map((name) => `idx_artifacts_${name}`),
  ...['project_id', 'user_id', 'created_at', 'project_created'].map((name) => `idx_checkpoints_${name}`),
  ...['project_id', 'user_id', 'created_at', 'project_created'].map((name) => `idx_decisions_${name}`),
];

export const VIEW_COLUMNS: Record<string, string[]> = {
  active_tasks: [...Object.keys(COLUMNS['tasks'] ?? {}), 'project_name', 'is_actively_locked'],
  recent_events: [...Object.keys(COLUMNS['events'] ?? {}), 'project_name', 'task_title'],
  task_progress: [
    ...['id', 'project_id', 'title', 'status', 'priority', 'total_criteria', 'artifact_count'],
    ...['locked_at', 'locked_by', 'created_at', 'updated_at'],
  ],
  agent_artifacts: ['run_id', 'task_id', 'type', 'ref', 'storage_key', 'sha256', 'size_bytes', 'media_type'],
  command_queue: [
    ...['id', 'command_id', 'agent_id', 'position', 'priority', 'status', 'enqueued_at', 'started_at'],
    ...['interrupt_requested', 'interrupt_reason'],
  ],
  audit_logs: [
    ...['id', 'event_type', 'user_id', 'agent_id', 'command_id', 'details', 'ip_address', 'user_agent', 'created_at'],
  ],
  trace_entries: ['id', 'command_id', 'agent_id', 'parent_id', 'type', 'name', 'content', 'started_at', 'tokens_used'],
};
