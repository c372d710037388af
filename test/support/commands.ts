import type { Actor, Database } from '../../src/db/database.ts';
import { newId } from '../../src/events/ids.ts';
import { ask } from './ask.ts';

// The calls of the database functions that the tests of the SQL core make, below the services.

export type Caller = { db: Database; actor: Actor };

export type Request = { stream: string; type: string; data?: object; expect?: object };

export type Recorded = {
  seq: number;
  id: string;
  stream: string;
  type: string;
  version: number;
  state: Task;
  repeated?: boolean;
};

export type Answer = { events: Recorded[]; followed: { seq: number; type: string; stream: string; ref?: string }[] };

export type Task = { id: string; ref: string; status: string; version: number; [column: string]: unknown };

export type Claim = { task?: Task & { lock_token: number; locked_until: string }; hint?: string; previous?: object };

export type EventBrief = {
  seq: number;
  id: string;
  type: string;
  by: string;
  text: string;
  task?: string;
  data?: object;
};

export function append(who: Caller, events: Request[], command?: object): Promise<Answer> {
  return ask(who, 'append_events', { events, command });
}

/** One event; answers with what was recorded. */
export async function record(who: Caller, event: Request): Promise<Recorded> {
  const { events } = await append(who, [event]);
  return events[0] as Recorded;
}

export async function createProject(who: Caller, data: object = {}): Promise<string> {
  const id = newId();
  await record(who, { stream: `project:${id}`, type: 'project.created', data: { slug: 'web', name: 'Web', ...data } });
  return id;
}

export async function createTask(who: Caller, data: object = {}): Promise<Task> {
  const event = { stream: `task:${newId()}`, type: 'task.created', data: { title: 'Write the docs', ...data } };
  return (await record(who, event)).state;
}

export function claim(who: Caller, args: object = {}): Promise<Claim> {
  return ask(who, 'claim_task', args);
}

/** Claims that task and answers with its lock_token. */
export async function hold(who: Caller, task: string, args: object = {}): Promise<number> {
  const { task: held } = await claim(who, { task, ...args });
  return held?.lock_token ?? 0;
}

export function note(who: Caller, text: string, data: object = {}): Promise<Recorded> {
  return record(who, { stream: 'project:web', type: 'project.noted', data: { text, kind: 'note', ...data } });
}

export type Verified = {
  ok: boolean;
  events: number;
  position: number;
  tables: { table: string; rows: number }[];
  difference?: { table?: string; id?: string; seq?: number; wrong?: string; columns?: Record<string, unknown> };
};

export function verify(who: Caller): Promise<Verified> {
  return ask(who, 'verify_events', {});
}

export type Exported = {
  seq: number;
  stream: string;
  event_type: string;
  payload: Record<string, unknown>;
  [column: string]: unknown;
};

/** Removes who imported the events, and when. */
export function asRecorded<Event extends object>(events: Event[]): object[] {
  return events.map((event) => ({ ...event, imported_by: undefined, imported_at: undefined }));
}

export async function exportAll(who: Caller, project: string | null = 'web', pageSize = 7): Promise<Exported[]> {
  const all: Exported[] = [];
  for (let after: number | undefined = 0; after !== undefined; ) {
    const asked = { project, after_seq: after, page_size: pageSize };
    const page: { events: Exported[]; next_seq?: number } = await ask(who, 'export_events', asked);
    all.push(...page.events);
    after = page.next_seq;
  }
  return all;
}

type Imported = { imported: number; skipped: number; left_out: number; cleaned: number; position: number };

/** Splits the import into as many calls as it takes. */
export async function importAll(who: Caller, events: object[]): Promise<Imported> {
  const sum = { imported: 0, skipped: 0, left_out: 0, cleaned: 0, position: 0 };
  for (let at = 0; at === 0 || at < events.length; at += 500) {
    const page = await ask<Imported>(who, 'import_events', {
      events: events.slice(at, at + 500),
      apart: sum.left_out > 0,
    });
    sum.imported += page.imported;
    sum.skipped += page.skipped;
    sum.left_out += page.left_out;
    sum.cleaned += page.cleaned;
    sum.position = page.position;
  }
  return sum;
}

export function replay(who: Caller): Promise<{ events: number; tables: string[] }> {
  return ask(who, 'replay_events', {});
}

export function redact(who: Caller, seq: number): Promise<{ redacted: boolean; text: string }> {
  return ask(who, 'redact_event', { event: String(seq), reason: 'A password leaked.' });
}
