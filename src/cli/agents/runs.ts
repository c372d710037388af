import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import { isId } from '../../events/ids.ts';
import type { RunBrief } from '../../events/runs.ts';
import { cleanLine } from '../../text.ts';
import { agents as agentTools } from '../../tools/agents.ts';
import { took } from '../../tools/render.ts';
import { findRun, runByEnd } from '../find-run.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { shortId } from '../short-id.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';
import { followRuns } from './follow.ts';
import { runsOfAgent } from './named-runs.ts';
import { askedOf, besideName, type Contents, lastLine, readContents, readRuns } from './reading.ts';

const NONE = 'No runs. A command makes one for each of its agents: `cairn send "…"`.';
const ENDED_BY = {
  itself: undefined,
  interrupt: 'an interrupt',
  term: 'an interrupt, then TERM to its processes',
  kill: 'an interrupt, TERM to its processes, then KILL',
  stop: 'an interrupt, then a signal to its processes',
} as const;

export type RunsOptions = JsonOption & { agent?: string | undefined; open?: true; follow?: true; limit: number };
export type InterruptOptions = JsonOption & { message?: string };

/** `cairn runs`: one for each agent that a command is for, the latest first. */
export async function runRuns(config: Config, { agent, open, limit, follow, ...options }: RunsOptions): Promise<void> {
  const read = (ctx: Context) => readRuns(ctx, { agent, open_only: open }, limit);
  const show = ({ runs, more }: Found, contents: Contents) => [
    ...(runs.length === 0 ? [agent === undefined && !open ? NONE : 'No such runs.'] : runTable(runs, contents)),
    ...(more ? [styled('dim', `Only the latest ${runs.length}; --limit shows more.`)] : []),
  ];
  if (follow) return followRuns(config, { read, show }, options);
  const { found, contents } = await inLocalContext(config, async (ctx) => {
    const found = await read(ctx);
    return { found, contents: options.json ? new Map() : await readContents(ctx, found.runs) };
  });
  printResult(found, options, () => show(found, contents));
}

/** `cairn runs show ID`. */
export async function runShowRun(config: Config, given: string, options: JsonOption): Promise<void> {
  const { run, contents } = await inLocalContext(config, async (ctx) => {
    const found = await perform(ctx, agentTools.commands.get_run, { run: await findRun(ctx, given), page_size: 1 });
    const { steps: _, next_cursor: __, ...run } = found;
    return { run, contents: await readContents(ctx, [run]) };
  });
  printResult(run, options, () => runLines(run, contents));
}

/** `cairn runs interrupt RUN`: its runner ends it. */
export async function runInterrupt(
  config: Config,
  given: string,
  { message, ...options }: InterruptOptions,
): Promise<void> {
  const run = await inLocalContext(config, async (ctx) =>
    perform(ctx, agentTools.commands.interrupt_run, { run: await runToInterrupt(ctx, given), reason: message }),
  );
  printResult(run, options, () => [`The run ${shortId(run.id)} will be interrupted by the runner of ${run.agent}.`]);
}

/** Finds a run by its id, the end of it, or as the one that an agent has at work. */
async function runToInterrupt(ctx: Context, given: string): Promise<string> {
  const ofAgent = given === '' || isId(given) ? undefined : await runsOfAgent(ctx, given);
  if (ofAgent === undefined) return runByEnd(ctx, given);
  const [only, ...others] = ofAgent.atWork;
  if (only === undefined) {
    throw new DomainError('not_found', `${given} has no run at work.`, {
      hint: '`cairn commands cancel` takes back what waits.',
    });
  }
  if (others.length === 0) return only.id;
  const ids = ofAgent.atWork.map(({ id }) => shortId(id));
  throw mistyped(`${given} has ${ids.length} runs at work: ${ids.join(', ')}.`, 'Name one of them.');
}

type Found = { runs: RunBrief[]; more: boolean };
export function runTable(runs: readonly RunBrief[], contents: Contents): string[] {
  return table(runs, [
    { heading: 'RUN', text: ({ id }) => shortId(id), style: (text) => styled('bold', text) },
    { heading: 'AGENT', text: ({ agent }) => agent, style: (text) => styled('cyan', text) },
    { heading: 'STATUS', text: statusOfRun, style: (text, run) => styled(runStyle(run), text) },
    { heading: 'TASK', text: ({ task = '' }) => task, spare: 4 },
    {
      heading: 'PRIORITY',
      text: ({ priority, ended_at }) => (ended_at === undefined ? String(priority) : ''),
      spare: 2,
    },
    { heading: 'MODE', text: ({ mode, ended_at }) => (ended_at === undefined ? mode : ''), spare: 1 },
    { heading: 'COMMAND', text: (run) => askedOf(run, contents), flexible: true, spare: 5 },
    { heading: 'NOTE', text: noteOfRun, style: (text) => styled('dim', text), flexible: true, spare: 6 },
    { heading: 'TOOK', text: tookOf, spare: 1 },
    { heading: 'TOKENS', text: tokensOf, spare: 0 },
    { heading: 'SINCE', text: sinceOf, style: (text) => styled('dim', text), spare: 3 },
  ]);
}

export function statusOfRun({ status, end_reason }: RunBrief): string {
  const shown = status.replace('_', ' ');
  return end_reason === undefined || end_reason === status ? shown : `${shown} (${end_reason.replace('_', ' ')})`;
}

function runStyle({ status }: RunBrief): 'cyan' | 'yellow' | 'green' | 'red' | 'dim' {
  if (status === 'running') return 'cyan';
  if (status === 'completed') return 'green';
  if (status === 'failed' || status === 'timed_out') return 'red';
  return status === 'waiting_input' || status === 'waiting_approval' || status === 'paused' ? 'yellow' : 'dim';
}

/** Says why a run waits, why it failed, or what came of it. */
export function noteOfRun({
  why,
  interrupt_requested,
  interrupt_reason,
  error,
  result = '',
  ...run
}: RunBrief): string {
  if (run.ended_at !== undefined) {
    const cameOfIt = error ?? interrupt_reason ?? lastLine(result);
    return [cameOfIt, notRecorded(run.not_recorded)].filter(Boolean).join('; ');
  }
  if (interrupt_requested) return `will be interrupted${interrupt_reason === undefined ? '' : `: ${interrupt_reason}`}`;
  const goesOn = run.paused_until === undefined ? undefined : `goes on ${fromNow(run.paused_until)}`;
  return [why && besideName(why, run.agent), goesOn, subagentsOf(run), run.status === 'queued' ? error : undefined]
    .filter(Boolean)
    .join('; ');
}

/** Says that what the server refused is known to the runner's own screen alone. */
export function notRecorded(reports: unknown): string {
  if (typeof reports !== 'number' || reports < 1) return '';
  return reports === 1 ? '1 report is not on the record' : `${reports} reports are not on the record`;
}

/** Names what works beside the agent itself. */
export function subagentsOf({ subagents = [] }: RunBrief): string {
  return subagents.length === 0 ? '' : `with ${subagents.map(cleanLine).join(', ')}`;
}

function tookOf({ duration_ms }: RunBrief): string {
  return duration_ms === undefined ? '' : took(duration_ms);
}

function tokensOf({ tokens_in = 0, tokens_out = 0 }: RunBrief): string {
  return tokens_in + tokens_out === 0 ? '' : String(tokens_in + tokens_out);
}

function sinceOf({ created_at, started_at, ended_at }: RunBrief): string {
  return fromNow(ended_at ?? started_at ?? created_at);
}

function runLines(run: RunBrief, contents: Contents): string[] {
  const {
    id,
    agent,
    command = '',
    task,
    priority,
    mode,
    attempt,
    delivered_at,
    delivery_path: path,
    error,
    result,
  } = run;
  const since = (at: string | undefined) => at && fromNow(at);
  const facts = [
    ['note', noteOfRun(run)],
    ['task', task],
    ['mode', `${mode}, priority ${priority}`],
    ['attempt', attempt !== undefined && attempt > 1 ? String(attempt) : undefined],
    ['queued', fromNow(run.created_at)],
    ['started', since(run.started_at)],
    ['delivered', delivered_at && `${fromNow(delivered_at)}${path === undefined ? '' : `, by ${path}`}`],
    ['begun', since(run.acked_at)],
    ['ended', since(run.ended_at)],
    ['by', run.ended_by && ENDED_BY[run.ended_by]],
    ['took', tookOf(run)],
    ['tokens', tokensOf(run) && `${run.tokens_in ?? 0} in, ${run.tokens_out ?? 0} out`],
    ['command', command],
    ['id', id],
  ] as const;
  return [
    `${styled('bold', agent)}  ${styled(runStyle(run), statusOfRun(run))}`,
    ...facts.flatMap(([fact, value]) => (value ? [`${styled('dim', fact.padEnd(9))}  ${value}`] : [])),
    ...under('Command', contents.get(command)),
    ...under('Error', error),
    ...under('Result', result),
  ];
}

function under(heading: string, text: string | undefined): string[] {
  return text === undefined ? [] : ['', styled('bold', heading), text];
}
