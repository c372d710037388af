import type { Context } from '../../context.ts';
import { toolNamed } from '../../tools/catalog.ts';
import { callTool, type ToolAnswer } from '../../tools/tool.ts';

/**
 * Reads what an agent reads first, so that its first calls wait for no compiling, here or in the database, whose connection compiles
 * a function and plans its statements when it first runs it. It changes nothing, and a call that comes meanwhile takes another connection.
 */
export async function warmUp(ctx: Context, leaving: AbortSignal): Promise<void> {
  const read = async (name: string, args: object): Promise<ToolAnswer['structured']> => {
    if (leaving.aborted) return {};
    // Whoever calls next is told what is wrong.
    const answer = await callTool(ctx, toolNamed(name), args).catch(() => undefined);
    return answer?.structured ?? {};
  };
  await read('resume_project', {});
  const { tasks } = await read('list_tasks', { page_size: 1 });
  const [task] = Array.isArray(tasks) ? tasks : [];
  if (task !== undefined) await read('get_task', { task: task.ref });
}
