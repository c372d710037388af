import * as z from 'zod';
import { FIELD_CHECKS, jsonObject, line, ref, SLUG, SLUG_CHARACTERS_MAX, said, text } from '../text.ts';
import type { Expectation, NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { newId } from './ids.ts';

export const ProjectRef = ref().describe('Slug.');

export const NOTE_KINDS = ['note', 'question', 'answer', 'progress', 'risk'] as const;

/** A note on a task or a project. */
export const Note = z.object({
  text: said(20_000),
  kind: z.enum(NOTE_KINDS),
  answers: ref().optional().describe('Position or id of the question that this answers.'),
});

const Rules = jsonObject(65_536).describe(
  '{scope: {paths, deny, files_max, lines_max, notes}, gates: [{on, require, when}], triggers: [{on, when, do}], attempts_max}',
);

export const ProjectCreated = z.object({
  slug: z
    .string()
    .regex(SLUG, `must be 1 to ${SLUG_CHARACTERS_MAX} lower-case letters, digits and dashes, beginning with a letter`)
    .describe('Never changes; refs begin with it.')
    .register(FIELD_CHECKS, { kind: 'ref', size: SLUG_CHARACTERS_MAX }),
  name: line(200),
  description: text(20_000).optional().describe('Goal, stack, conventions.'),
  rules: Rules.optional(),
});

export const ProjectUpdated = z.object({
  name: line(200).optional(),
  description: text(20_000).optional(),
  rules: Rules.optional().describe('Replaces all rules.'),
});

export const ProjectArchived = z.object({ reason: text(2_000).optional() });

/** @public */
export const projectEvents = () =>
  ({
    'project.created': { says: 'slug, name, rules', creates: true, data: ProjectCreated },
    'project.updated': { says: 'name, description or rules changed', data: ProjectUpdated },
    'project.archived': { says: 'put out of the way', data: ProjectArchived },
    'project.unarchived': { says: 'taken up again', data: z.object({}) },
    'project.noted': { says: 'a note, question, answer, progress or risk', data: Note },
  }) as const satisfies EventTypes;

export const ProjectBrief = z.object({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  description: z.string().optional(),
  archived_at: z.string().optional(),
  updated_at: z.string(),
  tasks: z.object({
    ready: z.int(),
    pending: z.int(),
    in_progress: z.int(),
    blocked: z.int(),
    completed: z.int(),
    cancelled: z.int(),
    unproven: z.int().optional(),
    /** Those in progress that are ready as well. */
    lapsed: z.int().optional(),
  }),
});

export const Project = ProjectBrief.extend({ rules: z.record(z.string(), z.unknown()), version: z.int() });
export type Project = z.infer<typeof Project>;

export function projectCreated(data: z.infer<typeof ProjectCreated>): NewEvent<Project> {
  return { stream: `project:${newId()}`, type: 'project.created', data, state: Project };
}

export function projectUpdated(
  project: string,
  data: z.infer<typeof ProjectUpdated>,
  expect?: Expectation,
): NewEvent<Project> {
  return { stream: `project:${project}`, type: 'project.updated', data, expect, state: Project };
}

export function projectArchived(project: string, data: z.infer<typeof ProjectArchived>): NewEvent<Project> {
  return { stream: `project:${project}`, type: 'project.archived', data, state: Project };
}

export function projectUnarchived(project: string): NewEvent<Project> {
  return { stream: `project:${project}`, type: 'project.unarchived', data: {}, state: Project };
}

export function projectNoted(project: string, data: z.infer<typeof Note>): NewEvent<Project> {
  return { stream: `project:${project}`, type: 'project.noted', data, state: Project };
}
