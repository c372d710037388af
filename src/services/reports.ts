import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { DomainError } from '../errors.ts';
import { append } from '../events/append.ts';
import { newId } from '../events/ids.ts';
import { ProjectRef } from '../events/projects.ts';
import {
  LEVELS,
  REPORT_STATUSES,
  Report,
  ReportBrief,
  ReportParts,
  reportChanged,
  reportCompleted,
  reportSaved,
  type SavedReport,
} from '../events/reports.ts';
import { AgentRef } from './agents.ts';
import { idListedBy } from './listed-id.ts';
import { page } from './pagination.ts';

export const GetReport = z.strictObject({
  report: idListedBy('save_report').optional(),
  command: idListedBy('list_commands').optional().describe('The report of this command: its latest complete one.'),
});

export const getReport = sqlFunction('get_report', Report);

export const SaveReport = z.strictObject({
  report: idListedBy('save_report').optional().describe('One to go on with. Default: a new one, which needs a title.'),
  ...ReportParts.shape,
  replace: z.boolean().default(false).describe('The lists given replace those that are there; else they add to them.'),
  complete: z.boolean().default(false).describe('It is finished: needs a summary, and nothing changes it any more.'),
  run: idListedBy('list_runs').optional().describe('Default: the run that you do now.'),
  project: ProjectRef.optional(),
});

/** Begins a report or goes on with one, and completes it if asked. Raises not_found, illegal_transition. */
export async function saveReport(
  ctx: Context,
  { report, replace, complete, run, project = ctx.project, ...parts }: z.output<typeof SaveReport>,
): Promise<SavedReport> {
  const id = report ?? newId();
  const isChanged = Object.values(parts).some((part) => part !== undefined);
  const events = [
    ...(report === undefined ? [reportSaved(id, { run, project }, parts)] : []),
    ...(report !== undefined && isChanged ? [reportChanged(id, { ...parts, ...(replace && { replace }) })] : []),
    ...(complete ? [reportCompleted(id)] : []),
  ];
  const saved = events.length === 0 ? undefined : (await append(ctx, events)).events.at(-1)?.state;
  if (saved === undefined) {
    throw new DomainError('invalid_input', 'Nothing is given that the report should have.', {
      hint: 'Pass what is new of it, or complete: true.',
    });
  }
  const { sections = [], findings = [], recommendations = [], attachments = [], metadata: _, ...head } = saved;
  return {
    ...head,
    sections: sections.length,
    findings: findings.length,
    recommendations: recommendations.length,
    attachments: attachments.length,
  };
}

export const ListReports = z.strictObject({
  project: ProjectRef.optional(),
  agent: AgentRef.optional(),
  command: idListedBy('list_commands').optional(),
  status: z.enum(REPORT_STATUSES).optional(),
  severity: z.enum(LEVELS).optional(),
  ...page(20, 100),
});

const ReportPage = z.object({ reports: z.array(ReportBrief), next_cursor: z.string().optional() });

export const listReports = sqlFunction('list_reports', ReportPage);
