import { Report, SavedReport } from '../events/reports.ts';
import { GetReport, getReport, SaveReport, saveReport } from '../services/reports.ts';
import { renderReport, renderSaved } from './report-text.ts';

/** Tools of the toolset `agents`. */
export const reportTools = {
  save_report: {
    title: 'Save a report',
    description:
      'Write down what an investigation found, for people and other agents: begin a report early, add to it as you go, ' +
      'complete it at the end. Keep the id.',
    effect: 'write',
    scope: 'agents:run',
    input: SaveReport,
    output: SavedReport,
    run: saveReport,
    render: renderSaved,
  },
  get_report: {
    title: 'Get a report',
    description: 'Read a report, or that of a command; without either the latest. search finds reports by their words.',
    effect: 'read',
    input: GetReport,
    output: Report,
    run: getReport,
    render: renderReport,
  },
} as const;
