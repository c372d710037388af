/** Formats the configuration by which most clients connect to a server's address. */
export function endpointConfig({ href }: URL): string {
  return JSON.stringify({ mcpServers: { cairn: { url: href } } }, null, 2);
}
