import { writeOutput } from '../../atomic-write.ts';
import { unusableFile } from '../../bounded-read.ts';
import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import type { Project } from '../../events/projects.ts';
import type { Task } from '../../events/task-forms.ts';
import { writeTasks } from '../../formats/cairn-tasks.ts';
import { writeChecklist } from '../../formats/checklist-writer.ts';
import { writeCsv } from '../../formats/csv.ts';
import { projects as projectTools } from '../../tools/projects.ts';
import { tasks as taskTools } from '../../tools/tasks.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { type JsonOption, wrote } from '../terminal/output.ts';

const PAGE_SIZE = 100;
const READS_AT_ONCE = 8;

const WRITERS = {
  markdown: (project: Project, tasks: Task[]) => writeChecklist(project.name, tasks),
  json: writeTasks,
  csv: (_project: Project, tasks: Task[]) => writeCsv(tasks),
};

export type ExportOptions = JsonOption & {
  format: keyof typeof WRITERS | 'history';
  all?: true;
  records?: true;
  project?: string;
  out?: string;
};

/** `cairn export`: a project's current tasks, its history, or the whole workspace. */
export async function runExport(config: Config, file: string | undefined, options: ExportOptions): Promise<void> {
  const { format, all, records, project: slug = config.project, out = file } = options;
  if (records && !all) throw mistyped('Records are exported with the whole workspace.', 'Add --all.');
  if (all || format === 'history') {
    const { runExport: exportHistory } = await import('./transfer.ts');
    return exportHistory(config, { ...options, project: all ? undefined : slug, out });
  }
  const { project, tasks } = await inLocalContext(config, async (ctx) => {
    const { project: found } = await perform(ctx, projectTools.commands.get_project, { project: slug });
    return { project: found, tasks: await readTasks(ctx, found.slug) };
  });
  const text = WRITERS[format](project, tasks);
  if (out === undefined) return void process.stdout.write(text);
  await writeOutput(out, text).catch((error) => {
    throw unusableFile(out, error);
  });
  wrote({ file: out, project: project.slug, format, tasks: tasks.length }, options, `Exported to ${out}.`);
}

/** Every task of a project in full, by number. */
async function readTasks(ctx: Context, project: string): Promise<Task[]> {
  const tasks: Task[] = [];
  let cursor: string | undefined;
  do {
    const page = await perform(ctx, taskTools.commands.list_tasks, { project, cursor, page_size: PAGE_SIZE });
    for (let from = 0; from < page.tasks.length; from += READS_AT_ONCE) {
      const refs = page.tasks.slice(from, from + READS_AT_ONCE).map(({ ref }) => ref);
      const whole = await Promise.all(
        refs.map((task) => perform(ctx, taskTools.commands.get_task, { task, timeline_size: 0 })),
      );
      // Only the task itself: its artifacts and timeline are in the history.
      tasks.push(...whole.map(({ artifacts: _, timeline: __, ...task }) => task));
    }
    cursor = page.next_cursor;
  } while (cursor !== undefined);
  const number = ({ ref }: Task) => Number(ref.slice(ref.lastIndexOf('-') + 1));
  return tasks.sort((a, b) => number(a) - number(b));
}
