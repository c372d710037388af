import type { Scope } from '../../context.ts';
import { toolNamed } from '../../tools/catalog.ts';
import { resourceTool } from './resources.ts';

/** A message as it came, unchecked. */
export type Message = {
  method?: unknown;
  params?:
    | {
        name?: unknown;
        uri?: unknown;
        argument?: { name?: unknown };
        notifications?: { resourceSubscriptions?: unknown };
      }
    | undefined;
};

/** Lists all scopes that the operation needs, so that a refusal names them all at once. */
export function requiredScopes(message: Message, tools: ReadonlyMap<string, Scope>): Scope[] {
  const { method, params } = message ?? {};
  if (method === 'tools/call') {
    const scope = tools.get(String(params?.name));
    return scope === undefined ? [] : [scope];
  }
  return readsOf(method, params).map((name) => toolNamed(name).scope);
}

/** Tells whether a client listens for resources: nothing else that it may listen for changes here. */
export function followsResources({ params }: Message): boolean {
  return Array.isArray(params?.notifications?.resourceSubscriptions);
}

function followed({ params }: Message): unknown[] {
  const uris = params?.notifications?.resourceSubscriptions;
  return Array.isArray(uris) ? uris : [];
}

/** Names the read whose rows complete an argument of a prompt or of a resource. */
function suggesting(argument: unknown): string[] {
  if (argument === 'project' || argument === 'slug') return ['list_projects'];
  if (argument === 'task' || argument === 'ref') return ['list_tasks'];
  return [];
}

/** Names the reads behind an operation that is no tool call. */
function readsOf(method: unknown, params: Message['params']): string[] {
  switch (method) {
    case 'resources/list':
      return ['list_projects'];
    case 'resources/read':
      return [resourceTool(String(params?.uri))];
    case 'resources/subscribe':
      return [resourceTool(String(params?.uri)), 'list_events'];
    case 'subscriptions/listen':
      return followsResources({ params })
        ? ['list_events', ...followed({ params }).map((uri) => resourceTool(String(uri)))]
        : [];
    case 'completion/complete':
      return suggesting(params?.argument?.name);
    default:
      return [];
  }
}
