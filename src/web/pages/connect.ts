import { endpointConfig } from '../../clients/endpoint-config.ts';
import { type Html, html } from '../html.ts';

/** Shows how to connect a program to this server, to a reader without any connection. */
export function connectSection(endpoint: URL): Html {
  return html`<section><h2>Connect a program</h2>
<p class="small soft">It opens this browser and asks you. Claude Code, in your project:</p>
<pre>claude mcp add --transport http cairn ${endpoint.href}</pre>
<p class="small soft">Cursor and others, in their file for MCP servers, like <code>.cursor/mcp.json</code>:</p>
<pre>${endpointConfig(endpoint)}</pre></section>`;
}
