/** The text that `cairn init` offers to put into AGENTS.md or CLAUDE.md: the loop, short. */
export function instructions(project: string): string {
  return `## Shared memory: Cairn

Plans, tasks, decisions and hand-overs of this repository live in Cairn (MCP server \`cairn\`, project \`${project}\`), not in files or in your memory.

1. Start with \`resume_project\`: where the work stands, what is ready.
2. \`claim_task\` before you change anything; pass its \`lock_token\` to later calls on the task. On \`lock_lost\` stop.
3. While you work: \`add_artifact\` for diffs and test reports, \`record_decision\` for choices, \`create_tasks\` for work you find.
4. \`complete_task\` with evidence for each acceptance criterion, or \`release_task\` with the reason.
5. \`save_checkpoint\` before you stop or your context fills up.

Give each sub-agent a name, and have it pass \`as\` with that name to every Cairn tool that takes it: its locks are then its own.`;
}
