import * as z from 'zod';
import { jsonList, jsonObject, line, ref, said, text } from '../text.ts';
import type { NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { ProjectRef } from './projects.ts';

/** From the worst on. */
export const LEVELS = ['critical', 'high', 'medium', 'low'] as const;
const Level = z.enum(LEVELS);

export const REPORT_STATUSES = ['draft', 'in_progress', 'complete'] as const;

const Section = z.strictObject({
  title: line(200),
  content: said(20_000),
  type: z.enum(['text', 'code']).optional(),
  order: z.int().min(0).max(9_999).optional().describe('Lower comes first; else as they were given.'),
});

const Finding = z.strictObject({
  description: said(4_000),
  severity: Level,
  evidence: z.array(line(1_000)).max(20).optional(),
});

const Recommendation = z.strictObject({ action: said(2_000), priority: Level, rationale: text(4_000).optional() });

const Attachment = z.strictObject({
  name: line(200),
  type: line(100).optional(),
  url: line(2_000).optional(),
  content: said(20_000).optional(),
  artifact: ref().optional().describe('Id of an artifact.'),
});

/** The parts of a report. An item takes the place of the one with its first field, or is added. */
export const ReportParts = z.object({
  title: line(300).optional(),
  summary: text(4_000).optional().describe('For people who read nothing else.'),
  sections: jsonList(Section, 200_000).max(100).optional(),
  findings: jsonList(Finding, 200_000).max(200).optional(),
  recommendations: jsonList(Recommendation, 100_000).max(100).optional(),
  attachments: jsonList(Attachment, 200_000).max(50).optional().describe('Each with a url, a content or an artifact.'),
  metadata: jsonObject(16_384).optional(),
});
export type ReportParts = z.infer<typeof ReportParts>;

/** @public */
export const reportEvents = () =>
  ({
    'report.saved': {
      says: 'an agent begins to write down what it found',
      creates: true,
      data: ReportParts.extend({ title: line(300), run: ref().optional(), project: ProjectRef.optional() }),
      added: z.object({ command_id: ref(), agent_id: ref() }),
    },
    'report.changed': {
      says: 'parts of it were added or replaced',
      data: ReportParts.extend({ replace: z.boolean().optional() }),
    },
    'report.completed': { says: 'it is complete, and does not change any more', data: z.object({}) },
  }) as const satisfies EventTypes;

const ReportHead = z.object({
  id: z.string(),
  project: z.string().optional(),
  command: z.string().optional(),
  run: z.string().optional(),
  agent: z.string().optional(),
  title: z.string(),
  summary: z.string().optional(),
  status: z.enum(REPORT_STATUSES),
  /** It is the report of its command: the latest complete one. */
  is_latest: z.boolean().optional(),
  written_by: z.string(),
  changed_by: z.string().optional(),
  created_at: z.string(),
  updated_at: z.string(),
  completed_at: z.string().optional(),
});

export const ReportBrief = ReportHead.extend({
  /** Their number, by severity. */
  findings: z.record(z.string(), z.int()).optional(),
});
export type ReportBrief = z.infer<typeof ReportBrief>;

export const Report = ReportHead.extend({
  sections: z.array(Section.partial({ content: true })).optional(),
  findings: z.array(Finding).optional(),
  recommendations: z.array(Recommendation).optional(),
  attachments: z.array(Attachment).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});
export type Report = z.infer<typeof Report>;

/** What its writer gets: how much it has by now. */
export const SavedReport = ReportHead.extend({
  sections: z.int(),
  findings: z.int(),
  recommendations: z.int(),
  attachments: z.int(),
});
export type SavedReport = z.infer<typeof SavedReport>;

type About = { run?: string | undefined; project?: string | undefined };

export function reportSaved(report: string, about: About, parts: ReportParts): NewEvent<Report> {
  return { stream: `report:${report}`, type: 'report.saved', data: { ...parts, ...about }, state: Report };
}

export function reportChanged(report: string, parts: ReportParts & { replace?: boolean }): NewEvent<Report> {
  return { stream: `report:${report}`, type: 'report.changed', data: parts, state: Report };
}

export function reportCompleted(report: string): NewEvent<Report> {
  return { stream: `report:${report}`, type: 'report.completed', data: {}, state: Report };
}
