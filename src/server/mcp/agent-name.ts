/** Names the agent of a client's session: its server, its hooks, and its successor share the name. */
export function agentName(client: string, session: string): string {
  return `${client}#${session.slice(0, 4)}`;
}
