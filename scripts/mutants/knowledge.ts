import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

const REPORTS_SUITE = 'test/core/reports.test.ts';
const DECIDED_SUITE = 'test/core/memory-decided.test.ts';
const GIVEN_SUITE = 'test/core/memory-given.test.ts';
const TOLD = 'is told as what an agent noted, and as no order';
const AS_DATA = 'is no markup of whoever wrote it, and data for a model';

/** Mutants of the rules of reports and memory, and of the threats by what agents write down for others. */
export const KNOWLEDGE = Object.freeze([
  ...refusals('core', REPORTS_SUITE, [
    {
      within: 'app.find_own_run',
      find: 'There is no run %s of an agent of yours.',
      name: 'is of no run of another person',
    },
    { within: 'app.guard_report', find: 'The report "%s" is complete.', name: 'that is complete takes no change' },
    { within: 'app.guard_report', find: 'The report "%s" has no summary.', name: 'is completed with a summary alone' },
    { within: 'app.guard_report', find: 'A report has at most %s.', name: 'has an end' },
    {
      within: 'app.guard_report',
      find: 'An attachment names no artifact of this workspace.',
      name: 'is refused with an artifact that is not there',
    },
    { within: 'public.get_report', find: 'There is no report %s in this workspace.', name: 'is of that run' },
  ]),
  ...refusals('core', 'test/core/memory.test.ts', [
    { within: 'app.guard_memory', find: '1000 things are remembered', name: 'is one of a thousand for each project' },
    { within: 'app.prepare_memory', find: 'app.refuse_limited', name: 'of the workspace is noted by no token' },
  ]),
  ...refusals('core', DECIDED_SUITE, [
    { within: 'app.guard_memory', find: 'The memory "%s" is %s.', name: 'is declined once' },
    { within: 'app.find_memory', find: 'There is no memory %s in this workspace.', name: 'is declined once' },
  ]),
  ...refusals('T56', DECIDED_SUITE, [
    {
      within: 'app.guard_memory',
      find: 'app.refuse_agent',
      name: 'is said by no agent',
    },
  ]),
  ...of('T56', GIVEN_SUITE, [
    { file: 'src/tools/memory-text.ts', find: 'quote(text, 2_100)', replace: 'text', name: TOLD },
    { file: 'src/tools/memory-text.ts', find: 'quote(text, charactersMax)', replace: 'text', name: TOLD },
  ]),
  ...of('T56', DECIDED_SUITE, [
    {
      file: SQL,
      within: 'app.noted_memories',
      find: "x.status <> 'forgotten' and app.is_person(actor)",
      replace: "x.status <> 'forgotten'",
      name: 'keeps it from every agent, whatever it asks for, while it waits and when it is declined',
    },
    {
      file: SQL,
      within: 'app.prepare_memory',
      find: "x.status = 'approved' and x.superseded_by is null",
      replace: 'false',
      name: 'is not put aside by what an agent notes: that waits for a person',
    },
    {
      file: SQL,
      within: 'app.given_memories',
      find: 'or not app.asks_approval(coalesce(project.rules, p.rules))',
      replace: 'or true',
      name: 'lets it be given, where the project asks for that',
    },
    {
      file: SQL,
      within: 'app.memory_text',
      find: "memory.status in ('noted', 'approved')",
      replace: 'true',
      name: 'lets it be given, where the project asks for that',
    },
  ]),
  ...of('T57', 'test/core/markdown.test.ts', [
    { file: 'src/markdown.ts', find: ".replace(SPECIAL, '\\\\$&')", name: AS_DATA },
    { file: 'src/markdown.ts', find: ".replace(LINE_START, '$1\\\\$2')", name: AS_DATA },
    {
      file: 'src/tools/report-text.ts',
      find: 'quoteLines(reportMarkdown(report))',
      replace: 'reportMarkdown(report)',
      name: AS_DATA,
    },
  ]),
]);
