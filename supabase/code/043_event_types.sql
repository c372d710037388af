-- Made by `npm run schema` from src/events: the event types, and the limits of their data. Do not edit.

select app.declare_event('agent.configured', 'verb_only', 'type:line:40',
  'driver:one_of:claude|codex|acp|pipe|pty|hook|pull|otlp', 'host_machine:line:200', 'config:object:8192');

select app.declare_event('agent.paused', 'reason:text:300');

select app.declare_event('agent.registered', 'creates', 'verb_only', 'type!:line:40',
  'driver!:one_of:claude|codex|acp|pipe|pty|hook|pull|otlp', 'host_machine:line:200', 'config:object:8192',
  'name!:line:60', 'project:ref:80');

select app.declare_event('agent.renamed', 'name!:line:60');

select app.declare_event('agent.resumed');

select app.declare_event('agent.retired');

select app.declare_event('alert.acknowledged', 'note:text:2000');

select app.declare_event('alert.raised', 'creates', 'verb_only', 'severity!:one_of:low|medium|high|critical',
  'title!:line:300', 'details!:object:16384', 'kind!:line:100', 'dedup_key!:line:200', 'project:ref:80');

select app.declare_event('alert.repeated', 'verb_only', 'severity!:one_of:low|medium|high|critical', 'title!:line:300',
  'details!:object:16384');

select app.declare_event('alert.resolved', 'note:text:2000');

select app.declare_event('alert.snoozed', 'note:text:2000', 'seconds!:positive:2592000');

select app.declare_event('approval.decided', 'verb_only', 'decision!:one_of:approved|denied', 'answer:text:4000',
  'note:text:2000');

select app.declare_event('approval.expired', 'verb_only');

select app.declare_event('approval.requested', 'creates', 'kind!:one_of:permission|question|task', 'title!:line:500',
  'detail:object:16384', 'options:text[]:20:200', 'ttl_seconds:positive:604800', 'run:ref:80', 'task:ref:80',
  'project:ref:80', 'asked_of:line:120');

select app.declare_event('approval.withdrawn');

select app.declare_event('artifact.added', 'creates', 'task:ref:80', 'run:ref:80', 'project:ref:80',
  'type!:one_of:diff|pr|test_report|document|other', 'ref!:line:2000', 'summary:text:4000', 'files:text[]:500:500',
  'lines_changed:integer:999999999', 'storage_key:line:1000', 'sha256:line:64', 'size_bytes:integer:999999999',
  'media_type:line:200');

select app.declare_event('checkpoint.saved', 'creates', 'label!:line:200', 'summary!:said:10000',
  'resume_instructions:text:10000', 'repo_ref:line:500', 'snapshot:object:65536', 'project:ref:80');

select app.declare_event('command.cancelled', 'reason:text:2000');

select app.declare_event('command.completed', 'internal');

select app.declare_event('command.failed', 'internal', 'error:text:2000');

select app.declare_event('command.sent', 'creates', 'to:text[]:100:80', 'content:said:16000', 'preset:ref:80',
  'values:object:8192', 'type:one_of:natural|investigate|review|plan|synthesize', 'mode:one_of:turn|steer|interrupt',
  'priority:integer:100', 'profile:ref:80', 'execution_constraints:object:2000', 'ttl_seconds:positive:2592000',
  'repeatable:boolean', 'resumes:boolean', 'task:ref:80', 'project:ref:80', 'target_agents+:ref[]:100:80',
  'broadcast+:boolean', 'sent_by+:line:120', 'by_person+:boolean');

select app.declare_event('command.started', 'internal');

select app.declare_event('decision.recorded', 'creates', 'title!:line:300', 'options:array:40000', 'choice!:said:2000',
  'rationale!:said:10000', 'supersedes:ref:80', 'project:ref:80', 'task:ref:80');

select app.declare_event('decision.superseded', 'internal', 'by!:ref:80');

select app.declare_event('event.redacted', 'internal', 'reason!:said:4000');

select app.declare_event('memory.approved', 'verb_only');

select app.declare_event('memory.declined', 'verb_only');

select app.declare_event('memory.forgotten', 'verb_only');

select app.declare_event('memory.remembered', 'creates', 'key!:line:200', 'text!:said:2000',
  'kind:one_of:fact|preference|procedure|hypothesis', 'confidence:fraction', 'ttl_seconds:positive:315360000',
  'source:positive:999999999', 'task:ref:80', 'scope!:one_of:run|agent|project|workspace', 'run:ref:80',
  'project:ref:80', 'agent_id+:ref:80', 'source_event_id+:ref:80', 'status+:one_of:noted|proposed');

select app.declare_event('memory.restored', 'internal');

select app.declare_event('memory.superseded', 'internal', 'by!:ref:80');

select app.declare_event('message.enqueued', 'creates', 'internal', 'project!:ref:80', 'topic!:line:100',
  'payload!:object:65536');

select app.declare_event('preset.changed', 'description:text:2000', 'content:said:16000',
  'type:one_of:natural|investigate|review|plan|synthesize', 'target_agent_types:text[]:20:40',
  'variables:array:160000');

select app.declare_event('preset.removed');

select app.declare_event('preset.saved', 'creates', 'description:text:2000', 'content!:said:16000',
  'type:one_of:natural|investigate|review|plan|synthesize', 'target_agent_types:text[]:20:40',
  'variables:array:160000', 'name!:line:100', 'project:ref:80');

select app.declare_event('profile.changed', 'description:text:2000', 'time_limit_ms:integer:999999999',
  'token_budget:integer:999999999', 'memory_limit_mb:integer:999999999', 'cpu_limit_percent:integer:999999999',
  'silence_limit_ms:integer:999999999', 'is_default:boolean');

select app.declare_event('profile.removed');

select app.declare_event('profile.saved', 'creates', 'description:text:2000', 'time_limit_ms:integer:999999999',
  'token_budget:integer:999999999', 'memory_limit_mb:integer:999999999', 'cpu_limit_percent:integer:999999999',
  'silence_limit_ms:integer:999999999', 'is_default:boolean', 'name!:line:100', 'project:ref:80');

select app.declare_event('project.archived', 'reason:text:2000');

select app.declare_event('project.created', 'creates', 'slug!:ref:31', 'name!:line:200', 'description:text:20000',
  'rules:object:65536');

select app.declare_event('project.noted', 'text!:said:20000', 'kind!:one_of:note|question|answer|progress|risk',
  'answers:ref:80');

select app.declare_event('project.unarchived');

select app.declare_event('project.updated', 'name:line:200', 'description:text:20000', 'rules:object:65536');

select app.declare_event('report.changed', 'title:line:300', 'summary:text:4000', 'sections:array:200000',
  'findings:array:200000', 'recommendations:array:100000', 'attachments:array:200000', 'metadata:object:16384',
  'replace:boolean');

select app.declare_event('report.completed');

select app.declare_event('report.saved', 'creates', 'title!:line:300', 'summary:text:4000', 'sections:array:200000',
  'findings:array:200000', 'recommendations:array:100000', 'attachments:array:200000', 'metadata:object:16384',
  'run:ref:80', 'project:ref:80', 'command_id+:ref:80', 'agent_id+:ref:80');

select app.declare_event('run.acknowledged', 'verb_only');

select app.declare_event('run.claimed', 'verb_only', 'lock_token:positive:999999999');

select app.declare_event('run.delivered', 'verb_only', 'path!:line:200');

select app.declare_event('run.finished', 'verb_only', 'status!:one_of:completed|failed|cancelled|timed_out',
  'end_reason!:one_of:completed|interrupted|cancelled|time_limit|token_limit|memory_limit|cpu_limit|silent|usage_limit|'
  'emergency_stop|expired|lost|crashed|error',
  'error:text:2000', 'result:text:20000', 'metrics:object:8192');

select app.declare_event('run.interrupt_requested', 'reason:text:2000');

select app.declare_event('run.opened', 'creates', 'verb_only', 'agent_id!:ref:80', 'agent_name!:line:60',
  'project:ref:80');

select app.declare_event('run.paused', 'verb_only', 'seconds!:positive:2592000', 'reason:text:2000');

select app.declare_event('run.queued', 'creates', 'internal', 'agent_id!:ref:80', 'agent_name!:line:60',
  'command_id:ref:80', 'task:ref:80', 'project:ref:80', 'mode!:line:40', 'priority!:integer:100',
  'delivery_mode!:one_of:turn|steer|interrupt', 'ttl_seconds!:positive:2592000');

select app.declare_event('run.requeued', 'verb_only', 'reason:text:2000');

select app.declare_event('run.resumed', 'verb_only');

select app.declare_event('run.silent', 'verb_only', 'seconds!:positive:2592000');

select app.declare_event('run.waiting', 'verb_only', 'for!:one_of:input|approval', 'text:text:2000',
  'ask:object:24576');

select app.declare_event('session.saved', 'creates', 'summary:text:10000', 'snapshot:object:262144', 'project:ref:80');

select app.declare_event('session.updated', 'summary:text:10000', 'snapshot:object:262144');

select app.declare_event('task.approved', 'note:text:4000');

select app.declare_event('task.blocked', 'reason!:said:4000', 'dependency:ref:80');

select app.declare_event('task.cancelled', 'reason!:said:4000');

select app.declare_event('task.claimed', 'ttl_seconds!:positive:86400', 'take_over:boolean', 'lapsed+:boolean');

select app.declare_event('task.completed', 'summary:text:10000', 'evidence:array:400000',
  'lock_token+:positive:999999999', 'unproven+:array:400');

select app.declare_event('task.created', 'creates', 'title!:line:300', 'description:text:20000',
  'acceptance_criteria:text[]:50:1000', 'constraints:object:16384', 'dependencies:ref[]:100:80', 'parent:ref:80',
  'discovered_from:ref:80', 'priority:one_of:low|medium|high|critical', 'rank:number', 'labels:label[]:20:50',
  'reviewer:line:120', 'project:ref:80', 'project_id+:ref:36', 'number+:positive:99999999', 'ref+:ref:41');

select app.declare_event('task.dependencies_changed', 'add:ref[]:100:80', 'remove:ref[]:100:80');

select app.declare_event('task.lock_broken', 'reason!:said:4000');

select app.declare_event('task.noted', 'text!:said:20000', 'kind!:one_of:note|question|answer|progress|risk',
  'answers:ref:80');

select app.declare_event('task.released', 'outcome!:one_of:paused|failed', 'reason!:said:4000', 'lapsed+:boolean',
  'exhausted+:boolean', 'lock_token+:positive:999999999');

select app.declare_event('task.reopened', 'reason!:said:4000');

select app.declare_event('task.returned', 'internal', 'reason!:said:4000');

select app.declare_event('task.submitted', 'internal', 'summary:text:10000', 'evidence:array:400000',
  'lock_token+:positive:999999999');

select app.declare_event('task.unblocked', 'reason:text:4000');

select app.declare_event('task.updated', 'title:line:300', 'description:text:20000',
  'acceptance_criteria:text[]:50:1000', 'constraints:object:16384', 'priority:one_of:low|medium|high|critical',
  'rank:number', 'labels:label[]:20:50', 'parent:ref:80', 'reviewer:text:120');

select app.declare_event('task.warned', 'internal', 'dependency!:ref:80', 'reason!:said:4000');
