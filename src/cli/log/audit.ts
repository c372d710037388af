import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { domainErrorFrom } from '../../errors.ts';
import type { AUDIT_KINDS, AuditEntry } from '../../services/audit.ts';
import { cleanLine } from '../../text.ts';
import { person as tools } from '../../tools/person.ts';
import { commandId } from '../agents/commands.ts';
import { timeOf } from '../ages.ts';
import { printRetry, untilLeft } from '../following.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { isOfAll, readPages } from '../pagination.ts';
import { shortId } from '../short-id.ts';
import { type JsonOption, printLine, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';

type Chosen = { kind?: (typeof AUDIT_KINDS)[number]; agent?: string; command?: string; since?: string; until?: string };
export type AuditOptions = JsonOption & Chosen & { user?: string; follow?: true; limit: number };

const FOLLOW_MS = 1_000;
const FOLLOW_SIZE = 1_000;
// What stands in columns of its own, or is an id that nobody reads.
const ELSEWHERE = new Set(['by', 'run', 'approval', 'preset', 'by_person']);
// What says itself what it is.
const PLAIN = new Set(['content', 'reason', 'status', 'decision', 'error', 'table', 'done', 'name']);

/** `cairn audit`: who did what to whom in the last 30 days, the latest first. */
export async function runAudit(config: Config, options: AuditOptions): Promise<void> {
  const { user, follow, limit, json, since, until, command, ...chosen } = options;
  const asked = async (ctx: Context) => ({
    ...chosen,
    person: user,
    since: since && timeOf(since),
    until: until && timeOf(until),
    command: command && (await commandId(ctx, command)),
  });
  await inLocalContext(config, async (ctx) => {
    const wanted = await asked(ctx);
    const { items, more } = await readEntries(ctx, wanted, limit);
    if (follow)
      return followEntries({ json, printed: items }, (latest) =>
        readEntries(ctx, { ...wanted, since: latest ?? wanted.since }, FOLLOW_SIZE),
      );
    printResult({ entries: items, more }, json ? { json } : {}, () => [
      ...(items.length === 0 ? [noneOf(options)] : auditTable(items)),
      ...(more ? [styled('dim', `Only the latest ${items.length}; --limit shows more.`)] : []),
    ]);
  });
}

type Found = { items: AuditEntry[]; more: boolean };

function readEntries(ctx: Context, asked: object, limit: number): Promise<Found> {
  return readPages(
    limit,
    (page) => perform(ctx, tools.list_audit, { ...asked, ...page }),
    ({ entries }) => entries,
  );
}

function noneOf({ kind, user, agent, command, since, until }: AuditOptions): string {
  return isOfAll({ kind, user, agent, command, since, until })
    ? 'Nothing in the last 30 days. `cairn agent run -- claude` starts an agent, `cairn send "…"` sends it a command: both are entered.'
    : 'No such entries in the last 30 days. `cairn audit` without options shows all.';
}

function auditTable(entries: readonly AuditEntry[]): string[] {
  return table(entries, [
    { heading: 'WHEN', text: ({ at }) => fromNow(at), style: (text) => styled('dim', text) },
    { heading: 'WHAT', text: ({ kind }) => kind, style: (text) => styled('bold', text) },
    { heading: 'WHO', text: whoOf, style: (text) => styled('cyan', text), flexible: true, spare: 3 },
    { heading: 'AGENT', text: ({ agent = '' }) => agent, flexible: true, spare: 4 },
    { heading: 'COMMAND', text: ({ command }) => (command === undefined ? '' : shortId(command)), spare: 2 },
    { heading: 'FROM', text: ({ ip = '' }) => ip, spare: 1 },
    { heading: 'PROGRAM', text: ({ program = '' }) => program, flexible: true, spare: 0 },
    { heading: 'MORE', text: moreOf, flexible: true, spare: 5 },
  ]);
}

function whoOf({ user, user_id, details }: AuditEntry): string {
  const agent = details?.['by'];
  const person = user ?? user_id ?? 'Cairn';
  return typeof agent === 'string' && agent !== 'system' ? `${agent} (${person})` : person;
}

function moreOf({ details = {} }: AuditEntry): string {
  return Object.entries(details)
    .filter(([key]) => !ELSEWHERE.has(key))
    .map(([key, value]) => {
      const said = typeof value === 'string' ? value : JSON.stringify(value);
      return PLAIN.has(key) ? said : `${key} ${said}`;
    })
    .join(', ');
}

type Following = { json: boolean | undefined; printed: readonly AuditEntry[] };

/**
 * Prints what there was, and then each entry as it comes, until the person leaves. Waits for a database that went away.
 * `read` finds those from a time on.
 */
function followEntries(
  { json, printed }: Following,
  read: (since: string | undefined) => Promise<Found>,
): Promise<void> {
  let last: readonly AuditEntry[] = [];
  const print = (entries: readonly AuditEntry[]) => {
    const known = new Set(last.map(({ id }) => id));
    const added = entries.filter(({ id }) => !known.has(id));
    for (const entry of added.toReversed()) printLine(json ? JSON.stringify(entry) : lineOf(entry));
    if (entries.length > 0) last = entries;
  };
  print(printed);
  return untilLeft(async ({ signal }) => {
    while (!signal.aborted) {
      await sleep(FOLLOW_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        print((await read(last[0]?.at)).items);
      } catch (thrown) {
        const error = domainErrorFrom(thrown);
        if (!error.retryable) throw thrown;
        printRetry(error);
      }
    }
  });
}

function lineOf(entry: AuditEntry): string {
  const { at, kind, agent, ip } = entry;
  const facts = [agent, ip, moreOf(entry)].filter(Boolean).map((fact) => cleanLine(String(fact)));
  return `${styled('dim', at.slice(0, 19))} ${styled('bold', kind)} ${styled('cyan', cleanLine(whoOf(entry)))}  ${facts.join('  ')}`;
}
