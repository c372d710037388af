import { type Command, Option } from 'commander';
import type { ReportBrief } from '../../events/reports.ts';
import { command, examples, JSON_OPTION, limit } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { ReportsOptions } from './reports.ts';

// They stand here, too, since what checks the data is loaded when a command runs.
const STATUSES = ['draft', 'in_progress', 'complete'] as const satisfies ReportBrief['status'][];
const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;

const load = () => import('./reports.ts');

export function addReportsCommands(program: Command): void {
  const reports = program.command('reports').alias('report').description('read what investigations found');
  reports.addHelpText('after', examples('cairn reports', 'cairn report show 3f2a91c0'));
  reports
    .command('list', { isDefault: true })
    .description('list the reports, the latest first; with --project, those of one project')
    .option('--by <agent>', 'only those of this agent')
    .option('--command <command>', 'only those on this command')
    .addOption(new Option('--status <status>', 'only those of this status').choices(STATUSES))
    .addOption(new Option('--severity <severity>', 'only those with a finding of this severity').choices(SEVERITIES))
    .option('--limit <count>', 'how many at most', limit, 20)
    .option('-f, --follow', 'go on with each that comes or changes')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn reports', 'cairn reports --status complete --severity critical'))
    .action(
      // Takes only a project that was typed: without one, nobody expects to miss those of others.
      command(async (config, options: ReportsOptions, self: Command) => {
        const { project } = self.optsWithGlobals<{ project?: string }>();
        await (await load()).runReports(config, { ...options, project });
      }),
    );
  reports
    .command('show <report>')
    .description('print a report as Markdown, named by its id or the end of it')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn report show 3f2a91c0 > report.md'))
    .action(
      command(async (config, report: string, options: JsonOption) =>
        (await load()).runShowReport(config, report, options),
      ),
    );
}
