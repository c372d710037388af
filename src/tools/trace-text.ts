import { named, quote } from '../quote.ts';
import type { RunTrace, RunUse } from '../services/run-trace.ts';
import type { StoredStep } from '../services/steps.ts';
import { runLine } from './agents-text.ts';
import { amount, lines, nextPage, took } from './render.ts';

export type Branch = { step: StoredStep; depth: number };

/** Steps in the order of their tree, siblings by when they began. A step whose parent is not there stands at the top. */
export function inTree(steps: readonly StoredStep[]): Branch[] {
  const ids = new Set(steps.map(({ span_id }) => span_id));
  const under = new Map<string | undefined, StoredStep[]>();
  for (const step of steps.toSorted((one, other) => one.started_at.localeCompare(other.started_at))) {
    const { parent_span_id: parent } = step;
    const above = parent !== undefined && ids.has(parent) && parent !== step.span_id ? parent : undefined;
    const siblings = under.get(above);
    if (siblings === undefined) under.set(above, [step]);
    else siblings.push(step);
  }
  const branches: Branch[] = [];
  // Not by calls: who reports may nest as deep as it likes.
  const open = (under.get(undefined) ?? []).map((step) => ({ step, depth: 0 })).reverse();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    branches.push(next);
    const { depth } = next;
    for (const step of (under.get(next.step.span_id) ?? []).toReversed()) open.push({ step, depth: depth + 1 });
    under.delete(next.step.span_id);
  }
  // What is under each other has no top.
  const placed = new Set(branches.map(({ step }) => step));
  const loose = [...under.values()].flat().filter((step) => !placed.has(step));
  return [...branches, ...loose.map((step) => ({ step, depth: 0 }))];
}

/** Formats dollars: `$1.23`, `$0.0174`. */
export function dollars(amount: number): string {
  return `$${amount >= 1 ? amount.toFixed(2) : amount.toFixed(4)}`;
}

export function renderTrace({ steps, next_cursor, ...run }: RunTrace): string {
  return lines(
    runLine(run),
    useText(run),
    steps.length === 0 ? 'No steps are known.' : inTree(steps).map(stepLine),
    nextPage(next_cursor),
  );
}

/** Sums up what a run used. */
export function useText({ usage, cost_usd, waited_ms }: Pick<RunUse, 'usage' | 'cost_usd' | 'waited_ms'>): string {
  const sum = (count: (used: RunUse['usage'][number]) => number) => usage.reduce((all, used) => all + count(used), 0);
  const unpriced = sum(({ tokens_unpriced }) => tokens_unpriced);
  const facts = [
    amount(
      sum(({ requests }) => requests),
      'request',
    ),
    `${sum(({ tokens_in }) => tokens_in)} tokens in (${sum(({ tokens_cached }) => tokens_cached)} from a cache)`,
    `${sum(({ tokens_out }) => tokens_out)} out`,
    cost_usd !== undefined && `${dollars(cost_usd)} at list prices`,
    unpriced > 0 && `${unpriced} tokens of models without a price`,
    waited_ms !== undefined && waited_ms > 0 && `waited ${took(waited_ms)} for a person`,
  ];
  return usage.length === 0 ? '' : `${facts.filter(Boolean).join(', ')}.`;
}

function stepLine({ step, depth }: Branch): string {
  const { name, status, duration_ms, tokens_in, tokens_out, cost_usd, waited_ms, error } = step;
  const facts = [
    status !== 'completed' && status,
    duration_ms !== undefined && took(duration_ms),
    waited_ms !== undefined && waited_ms > 0 && `waited ${took(waited_ms)}`,
    tokens_in !== undefined && `${tokens_in} in, ${tokens_out ?? 0} out`,
    cost_usd !== undefined && dollars(cost_usd),
    error !== undefined && quote(error, 200),
  ];
  return `${'  '.repeat(Math.min(depth, 20))}- ${[named(name), ...facts].filter(Boolean).join(', ')}`;
}
