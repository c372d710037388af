/** What most clients read to connect to a server by its address. */
export function endpointConfig({ href }: URL): string {
  return JSON.stringify({ mcpServers: { cairn: { url: href } } }, null, 2);
}
