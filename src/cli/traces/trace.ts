import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import type { RunTrace } from '../../services/run-trace.ts';
import type { StoredStep } from '../../services/steps.ts';
import { cleanLine, oneLine } from '../../text.ts';
import { agents as agentTools } from '../../tools/agents.ts';
import { took } from '../../tools/render.ts';
import { type Branch, dollars, inTree, useText } from '../../tools/trace-text.ts';
import { statusOfRun } from '../agents/runs.ts';
import { findRun } from '../find-run.ts';
import { untilLeft } from '../following.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { shortId } from '../short-id.ts';
import { type JsonOption, printLine, printResult, styled } from '../terminal/output.ts';
import { table } from '../terminal/table.ts';

export type TraceOptions = JsonOption & { follow?: true; content?: true };

const PAGE_SIZE = 2_000;
const FOLLOW_MS = 1_000;
// An agent reports what it did last some seconds after its run has ended.
const LATE_MS = 5_000;

/** `cairn trace RUN`: what it did, as a tree. */
export async function runTrace(config: Config, given: string, { follow, ...options }: TraceOptions): Promise<void> {
  if (follow) return followTrace(config, given, options);
  const found = await inLocalContext(config, async (ctx) => readTrace(ctx, await findRun(ctx, given)));
  printResult(found, options, (trace) => traceLines(trace, options));
}

async function readTrace(ctx: Context, run: string): Promise<RunTrace> {
  const ask = (cursor?: string) =>
    perform(ctx, agentTools.commands.get_run, { run, page_size: PAGE_SIZE, ...(cursor && { cursor }) });
  let { next_cursor, ...trace } = await ask();
  while (next_cursor !== undefined) {
    const next = await ask(next_cursor);
    trace = { ...trace, steps: [...trace.steps, ...next.steps] };
    next_cursor = next.next_cursor;
  }
  return trace;
}

function traceLines({ steps, ...run }: RunTrace, { content }: TraceOptions): string[] {
  const heading = `${styled('bold', run.agent)}  ${statusOfRun(run)}  ${styled('dim', `run ${shortId(run.id)}`)}`;
  if (steps.length === 0) return [heading, '', 'No steps are known. Claude Code, Codex and Gemini CLI report them.'];
  const branches = inTree(steps);
  return [
    heading,
    '',
    ...table(branches, [
      { heading: 'BEGAN', text: ({ step }) => step.started_at.slice(11, 19), style: dim, spare: 1 },
      { heading: 'STEP', text: (branch) => `${barsOf(branch)}${branch.step.name}`, style: stepStyle, flexible: true },
      { heading: 'TOOK', text: ({ step }) => (step.duration_ms === undefined ? '' : took(step.duration_ms)) },
      { heading: 'WAITED', text: ({ step }) => (step.waited_ms ? took(step.waited_ms) : ''), spare: 2 },
      { heading: 'IN', text: ({ step }) => String(step.tokens_in ?? '') },
      { heading: 'CACHED', text: ({ step }) => String(step.tokens_cached || ''), spare: 3 },
      { heading: 'OUT', text: ({ step }) => String(step.tokens_out ?? '') },
      { heading: 'COST', text: ({ step }) => (step.cost_usd === undefined ? '' : dollars(step.cost_usd)) },
      { heading: 'NOTE', text: ({ step }) => noteOf(step), style: dim, flexible: true, spare: 4 },
    ]),
    ...(content ? branches.flatMap(contentLines) : []),
    '',
    useText(run),
  ];
}

const dim = (text: string) => styled('dim', text);

function barsOf({ depth }: Branch): string {
  return '│ '.repeat(Math.min(depth, 12));
}

function stepStyle(text: string, { step }: Branch): string {
  return styled(step.status === 'failed' ? 'red' : step.kind === 'llm_prompt' ? 'cyan' : 'bold', text);
}

function noteOf({ status, error }: StoredStep): string {
  return error ?? (status === 'completed' ? '' : status);
}

function contentLines({ step: { name, content } }: Branch): string[] {
  if (content === undefined) return [];
  return [
    '',
    styled('bold', cleanLine(name)),
    ...Object.entries(content).map(
      ([of, value]) => `${of}: ${oneLine(typeof value === 'string' ? value : JSON.stringify(value))}`,
    ),
  ];
}

/** Prints each step as it comes, and again when more of it is known, until the run has ended. */
function followTrace(config: Config, given: string, { json }: TraceOptions): Promise<void> {
  return untilLeft((leaving) =>
    inLocalContext(config, async (ctx) => {
      const run = await findRun(ctx, given);
      const printed = new Map<string, string>();
      for (let lastNews = Date.now(); !leaving.signal.aborted; ) {
        const began = Date.now();
        const trace = await readTrace(ctx, run);
        for (const branch of inTree(trace.steps)) {
          const line = json ? JSON.stringify(branch.step) : followLine(branch);
          if (printed.get(branch.step.span_id) === line) continue;
          printed.set(branch.step.span_id, line);
          printLine(line);
          lastNews = Date.now();
        }
        const isOver = trace.ended_at !== undefined && Date.now() - Date.parse(trace.ended_at) > LATE_MS;
        if (isOver && Date.now() - lastNews > LATE_MS) {
          if (!json) printLine(useText(trace));
          return;
        }
        // All of it is read each time: a long one less often.
        await sleep(Math.max(FOLLOW_MS, 5 * (Date.now() - began)), undefined, { signal: leaving.signal }).catch(
          () => {},
        );
      }
    }),
  );
}

function followLine(branch: Branch): string {
  const { started_at, name, duration_ms, tokens_in, tokens_out, cost_usd } = branch.step;
  const facts = [
    duration_ms !== undefined && took(duration_ms),
    tokens_in !== undefined && `${tokens_in} in, ${tokens_out ?? 0} out`,
    cost_usd !== undefined && dollars(cost_usd),
    oneLine(noteOf(branch.step)),
  ];
  return `${dim(started_at.slice(11, 19))} ${barsOf(branch)}${cleanLine(name)}  ${dim(facts.filter(Boolean).join(', '))}`;
}
