// The commands that replace a tool's name in a sentence for people, sentences before words: the first match counts.
const SENTENCES: readonly [said: RegExp, instead: string][] = [
  [/Pass project: ([\w-]+), ([^.]*)\./g, 'Name one: `--project $1`, or $2.'],
  [/Pass project: ([\w-]+)\./g, 'Name it: `--project $1`.'],
  [/, or "" for none/g, ', or `--no-parent` for none'],
  [/\(update_task with remove_dependencies\)/g, '(`cairn edit REF --not-after OTHER`)'],
  [/\(update_task with status reopened\)/g, '(`cairn reopen REF`)'],
  [/Claim it with claim_task, then pass the lock_token\./g, 'Claim it: `cairn claim REF`.'],
  [
    /If that is you, pass the lock_token that claim_task returned\. Otherwise leave/g,
    'An owner or admin may change it all the same. Otherwise leave',
  ],
  [
    /Claim it first with claim_task, then complete it with the lock_token\./g,
    'Claim it first: `cairn claim REF`, then `cairn close REF`.',
  ],
  [/From blocked it can be cancelled, unblocked\./g, '`cairn unblock REF` lets it go on.'],
  [/From \w+ it can be reopened\./g, '`cairn reopen REF` opens it again.'],
  [/an artifact of type ([\w-]+) \(add_artifact\)/g, 'an artifact of type $1 (`cairn attach REF $1 LINK`)'],
  [/claim_task with take_over: true, from: .*?\. Or/g, '`cairn claim REF --take-over`. Or'],
  [/\(claim_task without task\)/g, '(`cairn claim`)'],
  [/claim_task without task/g, '`cairn claim`'],
  [/claim_task ([\w-]+-\d+)/g, '`cairn claim $1`'],
  [/take_over: true/g, '--take-over'],
  [/evidence: \[\{.*?\}(?:, and so on)?\]/g, '--evidence "1: …"'],
  [/then repeat with expected_version \d+/g, 'then repeat the command'],
  [/Call unarchive_project/g, 'Run `cairn project unarchive SLUG`'],
  [/list_tasks with status (\w+)/g, '`cairn tasks --status $1`'],
  [/Repeat the call once; if it fails again, .*/g, 'Repeat the command once; --log-level debug shows the cause.'],
  [/,? with (the same idempotency_key|a new lock_token)/g, ''],
  [/Declare it in variables, as \{.*?\}, or take it out\./g, 'Declare it with --var NAME=DEFAULT, or take it out.'],
  [/([Rr])epeat the call/g, '$1epeat the command'],
];

const COMMANDS: Readonly<Record<string, string>> = {
  add_artifact: '`cairn attach`',
  cancel_command: '`cairn commands cancel ID`',
  change_agent: '`cairn agents`',
  claim_task: '`cairn claim`',
  create_project: '`cairn project create`',
  create_tasks: '`cairn add`',
  get_command: '`cairn commands show ID`',
  get_report: '`cairn report show ID`',
  get_task: '`cairn show REF`',
  interrupt_run: '`cairn runs interrupt RUN`',
  list_agents: '`cairn agents`',
  list_approvals: '`cairn approvals`',
  list_checkpoints: '`cairn log --type checkpoint.`',
  list_commands: '`cairn commands`',
  list_decisions: '`cairn log --type decision.`',
  list_events: '`cairn log`',
  list_presets: '`cairn presets`',
  list_profiles: '`cairn profiles`',
  list_projects: '`cairn project list`',
  list_queue: '`cairn queue`',
  list_runs: '`cairn runs`',
  list_tasks: '`cairn tasks`',
  recall: '`cairn memory`',
  record_decision: "an agent's record_decision",
  record_event: '`cairn note`',
  redact_event: '`cairn events redact`',
  replay_events: '`cairn events replay`',
  resume_project: '`cairn resume`',
  review_task: '`cairn approvals`',
  save_checkpoint: "an agent's save_checkpoint",
  save_report: "an agent's save_report",
  save_preset: '`cairn presets save NAME`',
  save_profile: '`cairn profiles save NAME`',
  send_command: '`cairn send`',
  stop_agents: '`cairn stop`',
  wait_for_events: '`cairn watch`',
};
const TOOL = new RegExp(`\\b(${Object.keys(COMMANDS).join('|')})\\b`, 'g');

/** Rewrites a hint for agents in the words of the command line; `ref` is the task that it is about. */
export function inCommands(hint: string, ref = 'REF'): string {
  const reworded = SENTENCES.reduce((text, [said, instead]) => text.replace(said, instead), hint);
  const named = reworded.replace(TOOL, (tool) => COMMANDS[tool] ?? tool);
  return named.replace(/(`cairn \w+ )REF\b/g, `$1${ref}`);
}
