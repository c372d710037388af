/** The agent that a session of a client is: its server and its hooks, and whoever goes on with it. */
export function agentName(client: string, session: string): string {
  return `${client}#${session.slice(0, 4)}`;
}
