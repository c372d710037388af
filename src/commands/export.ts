import { writeFile } from 'node:fs/promises';
import type { Config } from '../config.ts';
import type { Context } from '../context.ts';
import { DomainError } from '../errors.ts';
import type { Task } from '../events/tasks.ts';
import { writeTasks } from '../formats/cairn-tasks.ts';
import { writeChecklist } from '../formats/checklist.ts';
import { writeCsv } from '../formats/csv.ts';
import { getProject } from '../services/projects.ts';
import { getTask, listTasks } from '../services/tasks.ts';
import { asPerson } from './person.ts';

const PAGE_SIZE = 100;
const READS_AT_ONCE = 8;

export type ExportOptions = {
  format: 'markdown' | 'json' | 'csv' | 'history';
  all?: true;
  project?: string;
  out?: string;
};

/** `cairn export`: a project's tasks as they are now, its history, or the whole workspace. */
export async function runExport(config: Config, file: string | undefined, options: ExportOptions): Promise<void> {
  const { format, all, project: slug = config.project, out = file } = options;
  if (all) return (await import('./transfer.ts')).runExport(config, { out });
  if (format === 'history') return (await import('./transfer.ts')).runExport(config, { project: slug, out });
  const text = await asPerson(config, async (ctx) => {
    const { project } = await getProject(ctx, { project: slug });
    const tasks = await readTasks(ctx, project.slug);
    if (format === 'csv') return writeCsv(tasks);
    return format === 'json' ? writeTasks(project, tasks) : writeChecklist(project.name, tasks);
  });
  if (out === undefined) process.stdout.write(text);
  else await write(out, text);
}

/** Every task of a project in full, by number. */
async function readTasks(ctx: Context, project: string): Promise<Task[]> {
  const tasks: Task[] = [];
  let cursor: string | undefined;
  do {
    const page = await listTasks(ctx, { project, cursor, page_size: PAGE_SIZE });
    for (let from = 0; from < page.tasks.length; from += READS_AT_ONCE) {
      const refs = page.tasks.slice(from, from + READS_AT_ONCE).map(({ ref }) => ref);
      const whole = await Promise.all(refs.map((task) => getTask(ctx, { task, timeline_size: 0 })));
      // What belongs to a task alone: its artifacts and timeline are in the history.
      tasks.push(...whole.map(({ artifacts: _, timeline: __, ...task }) => task));
    }
    cursor = page.next_cursor;
  } while (cursor !== undefined);
  const number = ({ ref }: Task) => Number(ref.slice(ref.lastIndexOf('-') + 1));
  return tasks.sort((a, b) => number(a) - number(b));
}

async function write(out: string, text: string): Promise<void> {
  try {
    await writeFile(out, text, { mode: 0o600 });
  } catch (error) {
    throw new DomainError(
      'invalid_input',
      `The file ${out} cannot be written (${(error as NodeJS.ErrnoException).code}).`,
      {
        hint: 'Name a file that you may write, or leave --out away for standard output.',
        cause: error,
      },
    );
  }
  process.stderr.write(`Exported to ${out}.\n`);
}
