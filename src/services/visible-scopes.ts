import { type Context, mayUse } from '../context.ts';
import { DomainError } from '../errors.ts';

/**
 * An answer may show more than its tool's scope: a tool that reads projects also shows their tasks, one that reads
 * tasks the decisions made meanwhile. A caller without the other scope sees the rest, with a notice; plain numbers are
 * shown to both.
 */
export const TASKS_HIDDEN = 'tasks are not shown: this token lacks tasks:read';
export const PROJECTS_HIDDEN = 'projects, decisions and checkpoints are not shown: this token lacks projects:read';

type Rights = Pick<Context, 'scopes'>;

export function showsTasks({ scopes }: Rights): boolean {
  return mayUse(scopes, 'tasks:read');
}

export function showsProjects({ scopes }: Rights): boolean {
  return mayUse(scopes, 'projects:read');
}

export function showsAgents({ scopes }: Rights): boolean {
  return mayUse(scopes, 'agents:read');
}

// Types of events about tasks and messages between agents, which record_event writes with the scope of tasks.
const TASK_EVENTS = ['task.', 'artifact.', 'project.noted'];

export function isTaskEvent({ type }: { type: string }): boolean {
  return TASK_EVENTS.some((shown) => isWithin(type, shown));
}

/**
 * Returns the event types that a token for tasks may see, of these or of all. Raises insufficient_scope if there is
 * none.
 */
export function taskTypes(types: readonly string[] | undefined): string[] {
  if (types === undefined) return TASK_EVENTS;
  const shown = types.flatMap((type) =>
    TASK_EVENTS.some((event) => isWithin(type, event)) ? [type] : TASK_EVENTS.filter((event) => isWithin(event, type)),
  );
  if (shown.length > 0) return shown;
  throw insufficient('projects:read', 'These events');
}

export function insufficient(scope: 'projects:read' | 'tasks:read' | 'agents:read', what: string): DomainError {
  return new DomainError('insufficient_scope', `${what} need the scope ${scope}.`, {
    hint: 'Ask the person you work for to grant it.',
    details: { scope },
  });
}

/** Tells whether a type is within a category, whose name ends in a dot. */
function isWithin(type: string, category: string): boolean {
  return type === category || (category.endsWith('.') && type.startsWith(category));
}
