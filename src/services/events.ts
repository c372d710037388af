import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { append } from '../events/append.ts';
import { follow, getPosition } from '../events/feed.ts';
import { NOTE_KINDS, Note, ProjectRef, projectNoted } from '../events/projects.ts';
import { TaskRef, taskNoted } from '../events/tasks.ts';
import { findArchived, Wanted } from './archive.ts';
import { page } from './pagination.ts';
import { ProjectFilter, projectFilter } from './project-filter.ts';
import { insufficient, PROJECTS_HIDDEN, showsProjects, showsTasks, taskTypes } from './visible-scopes.ts';

// This many fit with their longest texts cut: an answer that says where to wait on from must not leave any out.
const WAIT_PAGE_SIZE = 30;
const FOLLOW_PAGE_SIZE = 100;

export const EventBrief = z.object({
  seq: z.int(),
  id: z.string(),
  at: z.string(),
  type: z.string(),
  by: z.string(),
  task: z.string().optional(),
  project: z.string().optional(),
  kind: z.string().optional(),
  text: z.string(),
  redacted: z.boolean().optional(),
  cleaned: z.boolean().optional(),
  imported_by: z.string().optional().describe('Who brought it here with an import; it is as true as the file was.'),
  imported_at: z.string().optional(),
  data: z.record(z.string(), z.unknown()).optional(),
});
export type EventBrief = z.infer<typeof EventBrief>;

const Types = z
  .array(z.string().max(60))
  .max(20)
  .optional()
  .describe('Like task.completed, or task. for all of tasks.');
const Position = z.int().min(0);

export const RecordEvent = z.strictObject({
  project: ProjectRef.optional(),
  task: TaskRef.optional(),
  kind: Note.shape.kind.default('note'),
  text: Note.shape.text,
  answers: Note.shape.answers,
});

export const RecordedEvent = z.object({
  seq: z.int(),
  about: z.string().describe('The task or project that it is about.'),
  kind: z.enum(NOTE_KINDS),
});

/** Leaves a note with a task, or with the project when no task is named. */
export async function recordEvent(
  ctx: Context,
  { project, task, ...note }: z.output<typeof RecordEvent>,
): Promise<z.infer<typeof RecordedEvent>> {
  if (task !== undefined) {
    const { events } = await append(ctx, [taskNoted(task, note)]);
    return { seq: events[0].seq ?? 0, about: events[0].state.ref, kind: note.kind };
  }
  const { events } = await append(ctx, [projectNoted(project ?? ctx.project ?? '', note)]);
  return { seq: events[0].seq ?? 0, about: events[0].state.slug, kind: note.kind };
}

export const ListEvents = z.strictObject({
  project: ProjectFilter,
  task: TaskRef.optional(),
  types: Types,
  kinds: z.array(z.enum(NOTE_KINDS)).max(5).optional().describe('Of notes.'),
  after_seq: Position.optional().describe('Oldest first from there.'),
  before_seq: Position.optional(),
  include_data: z.boolean().default(false).describe('With what each event carries.'),
  ...page(20, 100),
});

export const EventPage = z.object({
  events: z.array(EventBrief),
  position: z.int().describe('The latest of the workspace.'),
  next_cursor: z.string().optional(),
  not_shown: z.string().optional(),
});
export type EventPage = z.infer<typeof EventPage>;

/** Lists the timeline of a task, a project or the workspace, as far as the caller may read it. */
export async function listEvents(ctx: Context, input: z.output<typeof ListEvents>): Promise<EventPage> {
  if (showsProjects(ctx)) return readEvents(ctx, input);
  return { ...(await readEvents(ctx, { ...input, types: taskTypes(input.types) })), not_shown: PROJECTS_HIDDEN };
}

const queryEvents = sqlFunction('list_events', z.union([EventPage, z.object({ archive: Wanted })]));
const queryEventsWithArchive = sqlFunction('list_events', EventPage);

async function readEvents(
  ctx: Context,
  { project, types, kinds, include_data, ...rest }: z.output<typeof ListEvents>,
): Promise<EventPage> {
  const filters = { types, kinds, include_data };
  const args = { ...rest, project: projectFilter(ctx, project), filters };
  const page = await queryEvents(ctx, args);
  if (!('archive' in page)) return page;
  const archived = await findArchived(ctx, page.archive, filters);
  return queryEventsWithArchive(ctx, { ...args, archived });
}

export const ListQuestions = z.strictObject({
  project: ProjectRef.optional(),
  task: TaskRef.optional(),
  ...page(10, 20),
});

const QuestionPage = z.object({
  questions: z.array(EventBrief).describe('Each with all of its text.'),
  open: z.int().describe('How many there are, up to a thousand.'),
  next_cursor: z.string().optional(),
});
export type QuestionPage = z.infer<typeof QuestionPage>;

const queryQuestions = sqlFunction('list_questions', QuestionPage);

/**
 * Lists the open questions of a task, or of a project, the latest first. Messages between agents need the scope of
 * tasks.
 */
export async function listQuestions(
  ctx: Context,
  { project, ...input }: z.output<typeof ListQuestions>,
): Promise<QuestionPage> {
  if (!showsTasks(ctx)) throw insufficient('tasks:read', 'Questions');
  return queryQuestions(ctx, { ...input, project: project ?? ctx.project });
}

export const WaitForEvents = z.strictObject({
  project: ProjectFilter,
  task: TaskRef.optional(),
  types: Types,
  after_seq: Position.optional().describe('Position of an earlier result. Default: now.'),
  timeout_seconds: z.int().min(1).max(50).default(30),
});

/**
 * Returns events after a position as soon as there are any, or with none after the timeout. Its position is where to
 * wait on from: the last event shown, if more are left.
 */
export async function waitForEvents(
  ctx: Context,
  { timeout_seconds, after_seq, ...where }: z.output<typeof WaitForEvents>,
): Promise<EventPage> {
  const up = new AbortController();
  // AbortSignal.timeout within AbortSignal.any may be garbage-collected before it fires (Node.js 20).
  const timer = setTimeout(() => up.abort(), timeout_seconds * 1_000);
  const leaving = ctx.signal?.();
  const signal = leaving === undefined ? up.signal : AbortSignal.any([leaving, up.signal]);
  const read = (from: number) =>
    listEvents(ctx, { ...where, after_seq: from, include_data: false, page_size: WAIT_PAGE_SIZE });
  try {
    let position = after_seq ?? (await getPosition(ctx));
    for await (const page of follow(ctx, { after: position, read }, signal)) {
      position = page.position;
      if (page.events.length > 0) return { ...page, next_cursor: undefined };
    }
    return { events: [], position };
  } finally {
    clearTimeout(timer);
  }
}

/** Yields all events of the workspace after a position, page by page, until the signal ends it. */
export function followEvents(ctx: Context, after: number, signal: AbortSignal): AsyncGenerator<EventPage> {
  const read = (from: number) =>
    listEvents(ctx, { project: '*', after_seq: from, include_data: false, page_size: FOLLOW_PAGE_SIZE });
  return follow(ctx, { after, read }, signal);
}
