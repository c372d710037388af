import type { Context } from '../../context.ts';
import { toolNamed } from '../../tools/catalog.ts';
import { callTool, type ToolAnswer } from '../../tools/tool.ts';

/**
 * Makes an agent's first reads in advance, so that its first calls wait for no compiling, here or in the database: a
 * connection compiles a function and plans its statements at its first run. Changes nothing; a call that comes
 * meanwhile takes another connection.
 */
export async function warmUp(ctx: Context, leaving: AbortSignal): Promise<void> {
  const read = async (name: string, args: object): Promise<ToolAnswer['structured']> => {
    if (leaving.aborted) return {};
    // The next call reports the error.
    const answer = await callTool(ctx, toolNamed(name), args).catch(() => undefined);
    return answer?.structured ?? {};
  };
  await read('resume_project', {});
  const { tasks } = await read('list_tasks', { page_size: 1 });
  const [task] = Array.isArray(tasks) ? tasks : [];
  if (task !== undefined) await read('get_task', { task: task.ref });
}
