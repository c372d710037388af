// Made by `npm run schema` from the migrated database. Do not edit: change a migration.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

/** What PostgREST shows of the schema, in the shape of `supabase gen types`. */
export type Schema = {
  public: {
    Tables: {
      agent_sessions: {
        Row: {
          created_at: string;
          id: string;
          project_id: string;
          snapshot: NonNullable<Json>;
          summary: string | null;
          tenant_id: string;
          updated_at: string;
          user_id: string;
          version: number;
        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
      artifacts: {
        Row: {
          added_by: string;
          created_at: string;
          files: string[];
          id: string;
          lines_changed: number | null;
          project_id: string;
          ref: string;
          summary: string | null;
          task_id: string;
          tenant_id: string;
          tier: string;
          type: string;
          user_id: string;
          version: number;
        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
      checkpoints: {
        Row: {
          created_at: string;
          id: string;
          label: string;
          project_id: string;
          repo_ref: string | null;
          resume_instructions: string | null;
          saved_by: string;
          snapshot: NonNullable<Json>;
          summary: string;
          tenant_id: string;
          user_id: string;
          version: number;
        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
      decisions: {
        Row: {
          choice: string;
          created_at: string;
          decided_by: string;
          id: string;
          options: NonNullable<Json>;
          project_id: string;
          rationale: string;
          superseded_by: string | null;
          supersedes: string | null;
          task_id: string | null;
          tenant_id: string;
          title: string;
          user_id: string;
          version: number;
        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
      events: {
        Row: {
          actor: NonNullable<Json>;
          causation_id: string | null;
          correlation_id: string | null;
          created_at: string;
          event_type: string;
          hash: string;
          id: string;
          payload: NonNullable<Json>;
          payload_hash: string;
          prev_hash: string | null;
          project_id: string | null;
          redacted_at: string | null;
          schema_version: number;
          seq: number;
          stream: string;
          task_id: string | null;
          tenant_id: string;
          user_id: string;
          version: number;
        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
      memberships: {
        Row: {
          created_at: string;
          role: string;
          tenant_id: string;
          user_id: string;
        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
      messages: {
        Row: {
          created_at: string;
          id: string;
          payload: NonNullable<Json>;
          project_id: string;
          tenant_id: string;
          topic: string;
          user_id: string;
          version: number;
        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
      oauth_tokens: {
        Row: {
          access_token: string;
          client_id: string;
          created_at: string;
          created_ip: unknown | null;
          expires_at: string;
          grant_id: string | null;
          id: string;
          kind: string;
          last_used_at: string | null;
          last_used_ip: unknown | null;
          name: string | null;
          refresh_expires_at: string | null;
          refresh_token: string | null;
          refresh_used_at: string | null;
          refresh_uses: number;
          resource: string;
          revoked_at: string | null;
          scope: string;
          tenant_id: string;
          token_type: string;
          updated_at: string;
          user_id: string;
        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
      projects: {
        Row: {
          archived_at: string | null;
          created_at: string;
          description: string;
          id: string;
          name: string;
          rules: NonNullable<Json>;
          slug: string;
          tenant_id: string;
          updated_at: string;
          user_id: string;
          version: number;
        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
      task_leases: {
        Row: {
          expires_at: string;
          lock_token: number;
          project_id: string;
          task_id: string;
          tenant_id: string;
          ttl_seconds: number;
        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
      tasks: {
        Row: {
          acceptance_criteria: string[];
          approved_at: string | null;
          attempts: number;
          blocked_by: string | null;
          blocked_reason: string | null;
          completed_at: string | null;
          constraints: NonNullable<Json>;
          created_at: string;
          created_by: string;
          dependencies: string[];
          description: string;
          discovered_from: string | null;
          evidence: NonNullable<Json>;
          id: string;
          last_agent: string | null;
          last_outcome: string | null;
          last_reason: string | null;
          lock_token: number | null;
          locked_at: string | null;
          locked_by: string | null;
          locked_by_user: string | null;
          number: number;
          open_dependencies: number;
          parent_id: string | null;
          priority: string;
          project_id: string;
          ref: string;
          status: string;
          summary: string | null;
          tenant_id: string;
          title: string;
          updated_at: string;
          user_id: string;
          version: number;
          warning: string | null;
        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
      tenants: {
        Row: {
          created_at: string;
          id: string;
          name: string;
        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
      users: {
        Row: {
          created_at: string;
          email: string | null;
          id: string;
          name: string;
        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
    };
    Views: Record<never, never>;
    Functions: {
      accept_invitation: { Args: { actor?: Json; invitation_hash: string }; Returns: Json };
      admit_identity: { Args: { actor?: Json; identity: Json; terms?: Json }; Returns: Json };
      answer_authorization: { Args: { actor?: Json; decision: Json; request_hash: string; txn_hash: string }; Returns: Json };
      append_events: { Args: { actor?: Json; command?: Json; events: Json }; Returns: Json };
      archive_events: { Args: { actor?: Json; manifest?: Json }; Returns: Json };
      authenticate_token: { Args: { actor?: Json; resource: string; token_hash: string }; Returns: Json };
      block_client: { Args: { actor?: Json; blocked?: boolean; client_id: string }; Returns: Json };
      check_events: { Args: { actor?: Json; chains?: Json; events?: Json }; Returns: Json };
      claim_task: { Args: { actor?: Json; command?: Json; filters?: Json; project?: string; take_over?: boolean; task?: string; ttl_seconds?: number }; Returns: Json };
      compare_checkpoint: { Args: { actor?: Json; checkpoint?: string; project?: string }; Returns: Json };
      create_pat: { Args: { actor?: Json; pat: Json }; Returns: Json };
      end_session: { Args: { actor?: Json; everywhere?: boolean; session_hash: string }; Returns: Json };
      export_events: { Args: { actor?: Json; after_seq?: number; page_size?: number; project?: string }; Returns: Json };
      extend_lock: { Args: { actor?: Json; lock_token: number; task: string; ttl_seconds?: number }; Returns: Json };
      get_checkpoint: { Args: { actor?: Json; checkpoint?: string; project?: string }; Returns: Json };
      get_client: { Args: { actor?: Json; client_id: string }; Returns: Json };
      get_password: { Args: { actor?: Json }; Returns: Json };
      get_position: { Args: { actor: Json }; Returns: Json };
      get_project: { Args: { actor?: Json; project?: string }; Returns: Json };
      get_session: { Args: { actor?: Json; session_hash: string }; Returns: Json };
      get_state: { Args: { actor?: Json; archived?: Json; at?: string; project?: string; seq?: number }; Returns: Json };
      get_task: { Args: { actor?: Json; task: string; timeline_size?: number }; Returns: Json };
      import_events: { Args: { actor?: Json; events: Json; users?: Json }; Returns: Json };
      invite_member: { Args: { actor?: Json; invitation: Json }; Returns: Json };
      list_archives: { Args: { actor: Json }; Returns: Json };
      list_artifacts: { Args: { actor?: Json; cursor?: string; page_size?: number; task: string }; Returns: Json };
      list_auth_events: { Args: { actor?: Json; before?: string; chosen?: Json; page_size?: number }; Returns: Json };
      list_checkpoints: { Args: { actor?: Json; cursor?: string; page_size?: number; project?: string }; Returns: Json };
      list_clients: { Args: { actor?: Json }; Returns: Json };
      list_connections: { Args: { actor?: Json; before?: string; chosen?: Json; page_size?: number }; Returns: Json };
      list_decisions: { Args: { actor?: Json; cursor?: string; include_superseded?: boolean; page_size?: number; project?: string }; Returns: Json };
      list_events: { Args: { actor?: Json; after_seq?: number; archived?: Json; before_seq?: number; cursor?: string; filters?: Json; page_size?: number; project?: string; task?: string }; Returns: Json };
      list_members: { Args: { actor?: Json }; Returns: Json };
      list_projects: { Args: { actor?: Json; cursor?: string; include_archived?: boolean; page_size?: number }; Returns: Json };
      list_secrets: { Args: { actor?: Json }; Returns: Json };
      list_sessions: { Args: { actor?: Json; cursor?: string; page_size?: number; project?: string }; Returns: Json };
      list_tasks: { Args: { actor?: Json; cursor?: string; filters?: Json; page_size?: number; project?: string }; Returns: Json };
      open_authorization: { Args: { actor?: Json; request_hash: string; txn_hash: string }; Returns: Json };
      plan_archive: { Args: { actor?: Json; before?: string; size?: number }; Returns: Json };
      purge_auth: { Args: { actor?: Json }; Returns: Json };
      purge_idempotency_keys: { Args: { actor: Json }; Returns: Json };
      record_auth_event: { Args: { actor?: Json; event: Json }; Returns: Json };
      redact_event: { Args: { actor: Json; event: string; reason: string }; Returns: Json };
      redeem_code: { Args: { actor?: Json; code_hash: string; minted: Json; presented: Json }; Returns: Json };
      refresh_token: { Args: { actor?: Json; minted: Json; presented: Json; token_hash: string }; Returns: Json };
      remove_client: { Args: { actor?: Json; client_id: string }; Returns: Json };
      replay_events: { Args: { actor: Json }; Returns: Json };
      resume_project: { Args: { actor?: Json; project?: string }; Returns: Json };
      revoke_access: { Args: { actor?: Json; chosen: Json; reason?: string }; Returns: Json };
      revoke_invitation: { Args: { actor?: Json; invitation: string }; Returns: Json };
      revoke_token: { Args: { actor?: Json; client_id?: string; token_hash: string }; Returns: Json };
      rotate_secrets: { Args: { actor?: Json; everything?: boolean; renewed: Json }; Returns: Json };
      save_client: { Args: { actor?: Json; client: Json }; Returns: Json };
      save_login_code: { Args: { actor?: Json; code_hash: string; ttl_seconds: number }; Returns: Json };
      save_static_client: { Args: { actor?: Json; client: Json }; Returns: Json };
      search: { Args: { actor?: Json; cursor?: string; kinds?: Json; page_size?: number; project?: string; query: string }; Returns: Json };
      set_member: { Args: { actor?: Json; role?: string; user_id: string }; Returns: Json };
      set_password: { Args: { actor?: Json; password_hash: string }; Returns: Json };
      sign_in: { Args: { actor?: Json; identity: Json }; Returns: Json };
      snapshot_events: { Args: { actor?: Json; last_seq?: number }; Returns: Json };
      start_authorization: { Args: { actor?: Json; request: Json }; Returns: Json };
      start_login: { Args: { actor?: Json; login: Json }; Returns: Json };
      start_session: { Args: { actor?: Json; session: Json }; Returns: Json };
      suggest_refs: { Args: { actor?: Json; kind: string; prefix?: string }; Returns: Json };
      take_attempt: { Args: { actor?: Json; attempts_max: number; bucket: string; window_seconds: number }; Returns: Json };
      take_login: { Args: { actor?: Json; state_hash: string; txn_hash: string }; Returns: Json };
      take_login_code: { Args: { actor?: Json; code_hash: string }; Returns: Json };
      verify_events: { Args: { actor: Json }; Returns: Json };
    };
  };
};
