import * as z from 'zod';

const Text = z.string();
const Task = z.object({
  task_id: Text,
  task_type: Text.optional(),
  subagent_type: Text.optional(),
  description: Text.catch(''),
});
const ENDED: ReadonlySet<unknown> = new Set(['completed', 'failed', 'killed', 'stopped']);

/** What Claude Code tells of its sub-agents, and of what it left running in the background. */
export const BackgroundLine = z.discriminatedUnion('subtype', [
  z.object({ type: z.literal('system'), subtype: z.literal('background_tasks_changed'), tasks: z.array(Task) }),
  Task.extend({ type: z.literal('system'), subtype: z.literal('task_started') }),
  z.object({ type: z.literal('system'), subtype: z.literal('task_notification'), task_id: Text }),
  z.object({
    type: z.literal('system'),
    subtype: z.literal('task_updated'),
    task_id: Text,
    patch: z.object({ status: z.unknown() }).partial(),
  }),
]);
type BackgroundLine = z.infer<typeof BackgroundLine>;
type Task = z.infer<typeof Task>;

/** The work beside its turn, by name. */
export class Background {
  #tasks = new Map<string, Task>();

  get names(): string[] {
    return [...this.#tasks.values()].map(nameOf);
  }

  /** How many are sub-agents: it goes on by itself when one of them ends. A server that it left running may never. */
  get agents(): number {
    return [...this.#tasks.values()].filter(isAgent).length;
  }

  take(line: BackgroundLine): void {
    switch (line.subtype) {
      case 'background_tasks_changed':
        this.#tasks = new Map(line.tasks.map((task) => [task.task_id, task]));
        break;
      case 'task_started':
        this.#tasks.set(line.task_id, line);
        break;
      case 'task_updated':
        if (ENDED.has(line.patch.status)) this.#tasks.delete(line.task_id);
        break;
      default:
        this.#tasks.delete(line.task_id);
    }
  }

  clear(): void {
    this.#tasks.clear();
  }
}

/** The name of a sub-agent, with what it is to do. */
export function nameOf({
  subagent_type,
  task_type,
  description,
}: {
  subagent_type?: string | undefined;
  task_type?: string | undefined;
  description?: string | undefined;
}): string {
  const kind = subagent_type ?? (task_type === 'local_bash' ? 'shell' : task_type);
  return [kind, description].filter(Boolean).join(': ');
}

function isAgent({ subagent_type, task_type = '' }: Task): boolean {
  return subagent_type !== undefined || task_type.endsWith('_agent');
}
