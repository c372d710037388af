import {
  type CompleteResourceTemplateCallback,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  type ReadResourceResult,
  ResourceNotFoundError,
  ResourceTemplate,
  type ServerContext,
  type Variables,
} from '@modelcontextprotocol/server';
import type { Context } from '../../context.ts';
import { domainErrorFrom } from '../../errors.ts';
import type { EventBrief } from '../../services/events.ts';
import { suggestRefs } from '../../services/search.ts';
import { toolNamed } from '../../tools/catalog.ts';
import { runCommand } from '../../tools/command.ts';
import { projects as projectTools } from '../../tools/projects.ts';
import { callTool } from '../../tools/tool.ts';
import type { ServerOptions } from './server-options.ts';

type Mirror = {
  name: string;
  title: string;
  description: string;
  template: string;
  /** The read that it shows, and its arguments. */
  tool: string;
  argumentsOf(variables: { slug: string; ref: string }): Record<string, unknown>;
};

/** The main reads, for hosts that attach resources to a conversation. */
const MIRRORS: readonly Mirror[] = [
  {
    name: 'project',
    title: 'Project',
    description: 'Where a project stands: checkpoint, changes since, work in progress, what is ready.',
    template: 'cairn://projects/{slug}',
    tool: 'resume_project',
    argumentsOf: ({ slug }) => ({ project: slug }),
  },
  {
    name: 'task',
    title: 'Task',
    description: 'A task in full, with its artifacts and latest events.',
    template: 'cairn://projects/{slug}/tasks/{ref}',
    tool: 'get_task',
    argumentsOf: ({ ref }) => ({ task: ref }),
  },
  {
    name: 'timeline',
    title: 'Timeline',
    description: 'What happened in a project, newest first.',
    template: 'cairn://projects/{slug}/timeline',
    tool: 'list_events',
    argumentsOf: ({ slug }) => ({ project: slug, page_size: 50 }),
  },
];

/** Reads a URI of ours; undefined for any other. */
export function subjectOf(uri: string): { slug: string; ref?: string } | undefined {
  const [, slug, rest = ''] = /^cairn:\/\/projects\/([^/]+)(\/[^?#]+)?$/.exec(uri) ?? [];
  if (slug === undefined) return undefined;
  if (rest === '' || rest === '/timeline') return { slug };
  const ref = /^\/tasks\/([^/]+)$/.exec(rest)?.[1];
  return ref?.startsWith(`${slug}-`) ? { slug, ref } : undefined;
}

/** Names the read behind a URI; for an unknown URI, the one that shows least. */
export function resourceTool(uri: string): string {
  const kind = /\/tasks\/[^/]+$/.test(uri) ? 'task' : uri.endsWith('/timeline') ? 'timeline' : 'project';
  return MIRRORS.find(({ name }) => name === kind)?.tool ?? kind;
}

/** Lists the resources that show what an event changed. */
export function resourceUris({ project, task }: Pick<EventBrief, 'project' | 'task'>): string[] {
  if (project === undefined) return [];
  const uri = `cairn://projects/${project}`;
  return [uri, `${uri}/timeline`, ...(task === undefined ? [] : [`${uri}/tasks/${task}`])];
}

export function addResources(server: McpServer, serverOptions: ServerOptions): void {
  for (const mirror of MIRRORS) {
    const list =
      mirror.name === 'project' ? (request: ServerContext) => listProjects(server, serverOptions, request) : undefined;
    server.registerResource(
      mirror.name,
      new ResourceTemplate(mirror.template, { list, complete: completions(server, serverOptions) }),
      { title: mirror.title, description: mirror.description, mimeType: 'text/markdown' },
      async (uri, variables, request) =>
        read(mirror, { uri, variables, ctx: await serverOptions.contextOf(server, request) }),
    );
  }
}

/** Lists the latest projects; `cairn://projects/{slug}` reads any. */
async function listProjects(server: McpServer, serverOptions: ServerOptions, request: ServerContext) {
  const ctx = await serverOptions.contextOf(server, request);
  const { list_projects } = projectTools.commands;
  const { projects } = await runCommand(ctx, list_projects, (input) => input.parse({ page_size: 100 }));
  return {
    resources: projects.map(({ slug, name }) => ({ uri: `cairn://projects/${slug}`, name: slug, title: name })),
  };
}

async function read(
  mirror: Mirror,
  { uri, variables, ctx }: { uri: URL; variables: Variables; ctx: Context },
): Promise<ReadResourceResult> {
  const slug = String(variables['slug']);
  const ref = String(variables['ref']);
  if (mirror.name === 'task' && !ref.startsWith(`${slug}-`)) throw new ResourceNotFoundError(uri.href);
  try {
    const { text } = await callTool(ctx, toolNamed(mirror.tool), mirror.argumentsOf({ slug, ref }));
    return { contents: [{ uri: uri.href, mimeType: 'text/markdown', text }] };
  } catch (thrown) {
    const error = domainErrorFrom(thrown);
    if (error.code === 'not_found' || error.code === 'invalid_input')
      throw new ResourceNotFoundError(uri.href, error.message);
    throw new ProtocolError(ProtocolErrorCode.InternalError, error.message);
  }
}

function completions(
  server: McpServer,
  serverOptions: ServerOptions,
): Record<string, CompleteResourceTemplateCallback> {
  return {
    slug: async (value) => suggestRefs(await serverOptions.contextOf(server), 'project', value),
    ref: async (value, context) => {
      const slug = context?.arguments?.['slug'];
      return suggestRefs(
        await serverOptions.contextOf(server),
        'task',
        value === '' && slug !== undefined ? `${slug}-` : value,
      );
    },
  };
}
