import * as z from 'zod';
import type { Project } from '../events/projects.ts';
import type { Task } from '../events/tasks.ts';
import { PRIORITIES, STATUSES } from '../events/tasks.ts';
import type { ForeignTask } from '../services/adoption.ts';
import { checked, paragraphs, parseJson, type SourceFile, titled, wrongFile } from './foreign-task.ts';

const FORMAT = 'cairn-tasks';
const FORMAT_VERSION = 1;

const Header = z.looseObject({ format: z.literal(FORMAT), version: z.int().min(1), tasks: z.array(z.unknown()) });
const Item = z.looseObject({
  ref: z.string().min(1),
  title: z.string().min(1),
  description: z.string().optional(),
  acceptance_criteria: z.array(z.string()).default([]),
  priority: z.enum(PRIORITIES),
  status: z.enum(STATUSES),
  dependencies: z.array(z.looseObject({ ref: z.string() })).default([]),
  parent: z.string().optional(),
  discovered_from: z.string().optional(),
  summary: z.string().optional(),
  blocked_reason: z.string().optional(),
  last_reason: z.string().optional(),
});

/** A project's tasks as they are now, without their history. */
export function writeTasks(project: Project, tasks: Task[]): string {
  const { slug, name, description } = project;
  const header = { format: FORMAT, version: FORMAT_VERSION, exported_at: new Date().toISOString() };
  return `${JSON.stringify({ ...header, project: { slug, name, description }, tasks }, null, 2)}\n`;
}

export function readTasks(file: SourceFile): ForeignTask[] {
  const { version, tasks } = checked(Header, parseJson(file), file.path);
  if (version > FORMAT_VERSION)
    throw wrongFile(`${file.path} has version ${version}; this cairn reads ${FORMAT_VERSION}.`);
  return tasks.map((value, at) => {
    const place = `${file.path} tasks[${at}]`;
    const { ref, summary, blocked_reason, last_reason, dependencies, ...task } = checked(Item, value, place);
    return {
      ...task,
      key: ref,
      place,
      description: paragraphs(task.description, titled('Reason', blocked_reason)),
      remark: summary ?? blocked_reason ?? last_reason,
      dependencies: dependencies.map((dependency) => dependency.ref),
    };
  });
}
