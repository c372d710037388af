import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import { LEVELS, type ReportBrief } from '../../events/reports.ts';
import { agents as agentTools } from '../../tools/agents.ts';
import { person } from '../../tools/person.ts';
import { reportMarkdown } from '../../tools/report-text.ts';
import { commandId } from '../agents/commands.ts';
import { followList } from '../following.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { isOfAll, readPages } from '../pagination.ts';
import { shortId, wholeId } from '../short-id.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';

const KNOWN_MAX = 1_000;
const NONE = 'No reports. Agents write them with `save_report`; `cairn send --type investigate "…"` asks for one.';

type Chosen = { project?: string | undefined; status?: ReportBrief['status']; severity?: (typeof LEVELS)[number] };

export type ReportsOptions = JsonOption & Chosen & { by?: string; command?: string; limit: number; follow?: true };

/** `cairn reports`: the latest first. */
export async function runReports(config: Config, { by, command, limit, follow, ...options }: ReportsOptions) {
  await inLocalContext(config, async (ctx) => {
    const { json: _, ...chosen } = options;
    const asked = { ...chosen, agent: by, command: command && (await commandId(ctx, command)) };
    const { items, more } = await readReports(ctx, asked, limit);
    printResult({ reports: items, more }, options, () => [
      ...(items.length === 0 ? [isOfAll(asked) ? NONE : 'No such reports.'] : reportTable(items)),
      ...(more ? [styled('dim', `Only the latest ${items.length}; --limit shows more.`)] : []),
    ]);
    if (!follow) return;
    const following = {
      types: ['report.'],
      printed: items,
      read: async () => (await readReports(ctx, asked, limit)).items.toReversed(),
      stateOf: ({ updated_at }: ReportBrief) => updated_at,
      lineOf: ({ id, written_by, status, title }: ReportBrief) =>
        `${shortId(id)} ${written_by} ${status.replace('_', ' ')}: ${title}`,
    };
    await followList(ctx, following, options);
  });
}

/** `cairn report show ID`: Markdown, whatever it was that an agent wrote. */
export async function runShowReport(config: Config, given: string, options: JsonOption): Promise<void> {
  const found = await inLocalContext(config, async (ctx) =>
    perform(ctx, agentTools.commands.get_report, { report: await reportId(ctx, given) }),
  );
  printResult(found, options, (report) => [reportMarkdown(report)]);
}

type Asked = Chosen & { agent?: string | undefined; command?: string | undefined };

function readReports(ctx: Context, asked: Asked, limit: number): Promise<{ items: ReportBrief[]; more: boolean }> {
  return readPages(
    limit,
    (page) => perform(ctx, person.list_reports, { ...page, ...asked }),
    ({ reports }) => reports,
  );
}

function reportId(ctx: Context, given: string): Promise<string> {
  return wholeId(given, {
    each: [async () => (await readReports(ctx, {}, KNOWN_MAX)).items],
    notFound: () =>
      new DomainError('not_found', `There is no report ${given.slice(0, 40)}.`, {
        hint: '`cairn reports` shows the ids.',
      }),
  });
}

function reportTable(reports: readonly ReportBrief[]): string[] {
  return table(reports, [
    { heading: 'REPORT', text: ({ id }) => shortId(id), style: (text) => styled('bold', text) },
    {
      heading: 'STATUS',
      text: ({ status }) => status.replace('_', ' '),
      style: (text, { status }) => styled(status === 'complete' ? 'green' : 'cyan', text),
    },
    { heading: 'TITLE', text: ({ title }) => title, flexible: true },
    { heading: 'FINDINGS', text: findingsOf, spare: 2 },
    { heading: 'PROJECT', text: ({ project = '' }) => project, spare: 4 },
    { heading: 'BY', text: ({ written_by }) => written_by, style: (text) => styled('cyan', text), spare: 1 },
    {
      heading: 'CHANGED',
      text: ({ updated_at }) => fromNow(updated_at),
      style: (text) => styled('dim', text),
      spare: 3,
    },
  ]);
}

/** The number of findings by severity, the worst first: `1 critical, 2 low`. */
function findingsOf({ findings = {} }: ReportBrief): string {
  return LEVELS.flatMap((level) => (findings[level] === undefined ? [] : [`${findings[level]} ${level}`])).join(', ');
}
