import type { Scope } from '../context.ts';
import { toolNamed } from '../tools/catalog.ts';
import { resourceTool } from './resources.ts';

/** A message as it came: nothing about it is known. */
export type Message = {
  method?: unknown;
  params?: { name?: unknown; uri?: unknown; notifications?: { resourceSubscriptions?: unknown } } | undefined;
};

/** All scopes that the operation needs, so that who lacks some is told once. */
export function scopesNeeded(message: Message, tools: ReadonlyMap<string, Scope>): Scope[] {
  const { method, params } = message ?? {};
  if (method === 'tools/call') {
    const scope = tools.get(String(params?.name));
    return scope === undefined ? [] : [scope];
  }
  return readsOf(method, params).map((name) => toolNamed(name).scope);
}

/** Of all that a client may listen for, resources are what changes here. */
export function followsResources({ params }: Message): boolean {
  return Array.isArray(params?.notifications?.resourceSubscriptions);
}

/** The reads that show what is asked for, where it is no tool. */
function readsOf(method: unknown, params: Message['params']): string[] {
  switch (method) {
    case 'resources/list':
      return ['list_projects'];
    case 'resources/read':
      return [resourceTool(String(params?.uri))];
    case 'resources/subscribe':
      return [resourceTool(String(params?.uri)), 'list_events'];
    case 'subscriptions/listen':
      return followsResources({ params }) ? ['list_events'] : [];
    default:
      return [];
  }
}
