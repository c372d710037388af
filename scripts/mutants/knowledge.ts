import { refusals } from './mutant.ts';

const REPORTS_SUITE = 'test/core/reports.test.ts';

/** Mutants of the rules of reports and memory, and of the threats by what agents write down for others. */
export const KNOWLEDGE = Object.freeze([
  ...refusals('core', REPORTS_SUITE, [
    {
      within: 'app.prepare_report',
      find: 'A report is of a run of an agent of yours',
      name: 'is of no run of another person',
    },
    { within: 'app.guard_report', find: 'The report "%s" is complete.', name: 'that is complete takes no change' },
    { within: 'app.guard_report', find: 'The report "%s" has no summary.', name: 'is completed with a summary alone' },
    { within: 'app.guard_report', find: 'A report has at most %s.', name: 'has an end' },
    {
      within: 'app.check_report_items',
      find: 'An attachment names no artifact of this workspace.',
      name: 'is refused with an artifact that is not there',
    },
    { within: 'public.get_report', find: 'There is no report %s in this workspace.', name: 'is of that run' },
  ]),
]);
