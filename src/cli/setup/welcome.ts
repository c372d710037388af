import { quoted, serverCommand } from '../../clients/launch.ts';
import type { Config } from '../../config.ts';
import { thisHost } from '../../config.ts';
import type { Context } from '../../context.ts';
import { selectTools } from '../../tools/catalog.ts';
import { projects as projectTools } from '../../tools/projects.ts';
import { VERSION } from '../../version.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { printLine, styled } from '../terminal/output.ts';
import { runDemo } from './demo.ts';
import { CLI } from './demo-client.ts';

const PAGE_SIZE = 100;

type Serving = { engine: string; workspace: string; projects: number; tasks: number };

/** `cairn` where no client listens: says what it serves, how to configure a client, and what that is good for. */
export async function runWelcome(config: Config): Promise<void> {
  const tools = selectTools(config.toolsets, { readOnly: config.readOnly });
  const { engine, workspace, projects, tasks } = await lookAround(config);
  printLine(`${styled('bold', `Cairn ${VERSION}`)}: durable shared memory for AI coding agents, over MCP.`);
  printLine(`  database    ${engine}`);
  if (config.databaseUrl === undefined && config.supabaseUrl === undefined)
    printLine(`  data        ${config.dataDir}`);
  printLine(`  workspace   ${workspace}: ${projects} projects, ${tasks} tasks`);
  const readOnly = config.readOnly ? ', read-only' : '';
  printLine(`  tools       ${tools.length} (${config.toolsets.join(', ')}${readOnly})\n`);

  const host = thisHost();
  const forShell = (word: string) => quoted(word, host);
  const server = serverCommand(config, { cli: CLI, host, shared: false });
  const secrets = Object.fromEntries(server.passes.map((name) => [name, '…']));
  const env = { ...server.env, ...secrets };
  const entry = { command: server.command, args: server.args, ...(Object.keys(env).length > 0 && { env }) };
  const json = JSON.stringify({ mcpServers: { cairn: entry } }, null, 2);
  const given = Object.entries(env).flatMap(([name, value]) => ['--env', forShell(`${name}=${value}`)]);
  const line = ['claude', 'mcp', 'add', 'cairn', ...given, '--', ...[server.command, ...server.args].map(forShell)];
  const init = [...(server.command === 'node' ? ['node', CLI] : ['npx', '-y', 'cairn-mcp']), 'init'].map(forShell);
  printLine(`${styled('bold', 'Your clients')}, found and told of it:\n  ${init.join(' ')}\n`);
  printLine(`${styled('bold', 'Claude Code')}, in your project:\n  ${line.join(' ')}\nor in its .mcp.json:\n${json}\n`);
  printLine(`${styled('bold', 'Cursor')}, in .cursor/mcp.json:\n${json}\n`);

  await runDemo();
  printLine('\nYour own database was not touched by this. Add cairn to your client, and ask it to plan a project.');
}

function lookAround(config: Config): Promise<Serving> {
  return inLocalContext(config, async (ctx) => {
    if (config.supabaseUrl !== undefined) {
      const engine = `Supabase, ${new URL(config.supabaseUrl).host}`;
      return { engine, workspace: `of user ${ctx.actor.user_id}`, ...(await countProjects(ctx)) };
    }
    const client = await ctx.connect();
    try {
      const { rows } = await client.query(
        `select current_setting('server_version') as version, (select name from public.tenants where id = $1) as name`,
        [ctx.actor.tenant_id],
      );
      const kind = config.databaseUrl === undefined ? 'embedded PostgreSQL' : 'PostgreSQL';
      const workspace = rows[0].name ?? String(ctx.actor.tenant_id);
      return { engine: `${kind} ${rows[0].version}`, workspace, ...(await countProjects(ctx)) };
    } finally {
      await client.end();
    }
  });
}

async function countProjects(ctx: Context): Promise<{ projects: number; tasks: number }> {
  let [projects, tasks] = [0, 0];
  let cursor: string | undefined;
  do {
    const page = await perform(ctx, projectTools.commands.list_projects, { page_size: PAGE_SIZE, cursor });
    projects += page.projects.length;
    for (const project of page.projects) {
      const { pending, in_progress, blocked, completed, cancelled } = project.tasks;
      tasks += pending + in_progress + blocked + completed + cancelled;
    }
    cursor = page.next_cursor;
  } while (cursor !== undefined);
  return { projects, tasks };
}
