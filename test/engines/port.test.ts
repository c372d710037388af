import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { FunctionName } from '../../src/db/functions.ts';
import { newId } from '../../src/events/ids.ts';
import { ask } from '../support/ask.ts';
import { call, plan, take } from '../support/calls.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { createScratch } from '../support/scratch.ts';
import { test } from '../support/world.ts';

// The database functions refuse a caller that does not use our tools, as a signed-in user of a hosted project may do.

type Refusal = [what: string, because: string | RegExp, fn: FunctionName, args: (ref: Named) => object];
type Named = { lock_token: number; task: string };

const note = { stream: 'project:web', type: 'project.noted', data: { text: 'A note.', kind: 'note' } };
const decided = { title: 'Port', choice: '443', rationale: 'TLS.' };
const append = (event: object) => ({ events: [event] });

const REFUSED: Refusal[] = [
  [
    'an idempotency key without a character',
    'idempotency_key must have 1 to 200 characters.',
    'append_events',
    () => ({ ...append(note), command: { name: 'x', key: '', fingerprint: 'x' } }),
  ],
  [
    'an idempotency key that is too long',
    'idempotency_key must have 1 to 200 characters.',
    'append_events',
    () => ({ ...append(note), command: { name: 'x', key: 'x'.repeat(201), fingerprint: 'x' } }),
  ],
  ['no events', 'events must be a list of 1 to 200 events.', 'append_events', () => ({ events: [] })],
  [
    'too many events',
    'events must be a list of 1 to 200 events.',
    'append_events',
    () => ({ events: Array(201).fill(note) }),
  ],
  [
    'a claim that is no call of claim_task',
    /claims are made by claim_task/,
    'append_events',
    ({ task }) => append({ stream: `task:${task}`, type: 'task.claimed', data: { ttl_seconds: 60 } }),
  ],
  [
    'an expectation that is no number',
    'expect may hold version and lock_token, each a whole number, and own_lock.',
    'append_events',
    () => append({ ...note, expect: { version: 'one' } }),
  ],
  [
    'an expectation of something else',
    'expect may hold version and lock_token, each a whole number, and own_lock.',
    'append_events',
    () => append({ ...note, expect: { position: 1 } }),
  ],
  [
    'an expectation that is a list',
    'expect may hold version and lock_token, each a whole number, and own_lock.',
    'append_events',
    () => append({ ...note, expect: [] }),
  ],
  [
    'a command that is a list',
    'command must be an object with key and fingerprint.',
    'append_events',
    () => ({ ...append(note), command: ['x'] }),
  ],
  ['filters that are a list', 'filters must be an object.', 'list_tasks', () => ({ filters: ['pending'] })],
  [
    'a status that is a number',
    'The filter status is not valid: allowed is a list of at most 200 texts.',
    'list_tasks',
    () => ({ filters: { status: 5 } }),
  ],
  [
    'whose tasks in words',
    'The filter mine is not valid: allowed is true or false.',
    'list_tasks',
    () => ({ filters: { mine: 'x' } }),
  ],
  [
    'a parent that is an object',
    'The filter parent is not valid: allowed is a text of at most 200 characters.',
    'claim_task',
    () => ({ filters: { parent: {} } }),
  ],
  ['kinds that are none', 'kinds must be a list of at most 100 texts.', 'search', () => ({ query: 'x', kinds: [5] })],
  [
    'an archive of no events',
    'archived must be a list of events as export_events returns them.',
    'get_state',
    () => ({ archived: [{ seq: 'x', payload: {} }] }),
  ],
  [
    'an archive of what never was',
    'archived must be a list of events as export_events returns them.',
    'get_state',
    () => ({ archived: [{ seq: 1, stream: 'project:x', event_type: 'project.created', payload: {} }] }),
  ],
  [
    'events that are none',
    'events must be a list of events as export_events returns them.',
    'check_events',
    () => ({ events: [{ seq: 1 }] }),
  ],
  [
    'chains that are none',
    'chains must be an object that maps each project to the hash of its last event before.',
    'check_events',
    () => ({ chains: [] }),
  ],
  [
    'an event of another category than its stream',
    /project.noted on decision:web does not fit/,
    'append_events',
    () => append({ ...note, stream: 'decision:web' }),
  ],
  [
    'a stream without an id',
    'decision:first is not a stream.',
    'append_events',
    () => append({ stream: 'decision:first', type: 'decision.recorded', data: decided }),
  ],
  [
    'an event type that there is not',
    'There is no event type decision.made.',
    'append_events',
    () => append({ stream: `decision:${newId()}`, type: 'decision.made', data: decided }),
  ],
  [
    'an event without what it needs',
    'decision.recorded needs the field choice.',
    'append_events',
    () => append({ stream: `decision:${newId()}`, type: 'decision.recorded', data: { title: 'A', rationale: 'B.' } }),
  ],
  [
    'a field that the event does not have',
    'decision.recorded has no field colour.',
    'append_events',
    () => append({ stream: `decision:${newId()}`, type: 'decision.recorded', data: { ...decided, colour: 'red' } }),
  ],
  [
    'a value that is too long',
    /^title of decision.recorded is not valid/,
    'append_events',
    () =>
      append({
        stream: `decision:${newId()}`,
        type: 'decision.recorded',
        data: { ...decided, title: 'x'.repeat(301) },
      }),
  ],
  [
    'what only the database records',
    /is recorded by Cairn itself/,
    'append_events',
    () => append({ stream: `event:${newId()}`, type: 'event.redacted', data: { reason: 'So.' } }),
  ],
  [
    'evidence for a criterion that there is not',
    /^Evidence names a criterion from 1 to 1/,
    'append_events',
    (held) => completed(held, { criterion: 2, note: 'Seen.' }),
  ],
  [
    'evidence that shows nothing',
    /^The evidence for criterion 1 needs a note/,
    'append_events',
    (held) => completed(held, { criterion: 1 }),
  ],
  [
    'evidence by an artifact that there is not',
    /^Task web-1 has no artifact/,
    'append_events',
    (held) => completed(held, { criterion: 1, artifact: newId() }),
  ],
  ['a lease of no time', 'ttl_seconds is 0; allowed is 1 to 86400.', 'claim_task', () => ({ ttl_seconds: 0 })],
  ['a filter that there is not', 'There is no filter colour.', 'claim_task', () => ({ filters: { colour: 'red' } })],
  [
    'a longer lease than a day',
    'ttl_seconds is 86401; allowed is 1 to 86400.',
    'extend_lock',
    (held) => ({ ...held, ttl_seconds: 86_401 }),
  ],
  [
    'a timeline without an end',
    'timeline_size is 101; allowed is 0 to 100.',
    'get_task',
    ({ task }) => ({ task, timeline_size: 101 }),
  ],
  ['a page of nothing', 'page_size is 0; allowed is 1 to 100.', 'list_tasks', () => ({ page_size: 0 })],
  ['a cursor that is none', 'The cursor is not valid for this list.', 'list_tasks', () => ({ cursor: 'e30' })],
  ['a search for no word', /^query has no word to search for/, 'search', () => ({ query: ' !? ' })],
  [
    'a search among what there is not',
    'There is no kind robot.',
    'search',
    () => ({ query: 'pelican', kinds: ['robot'] }),
  ],
  [
    'an event that there is not',
    'There is no event 999 in this workspace.',
    'redact_event',
    () => ({ event: '999', reason: 'So.' }),
  ],
  [
    'the import of more than a page',
    'events must be a list of 1 to 500 events.',
    'import_events',
    () => ({ events: Array(501).fill({}) }),
  ],
  ['the import of no events', 'events must be a list of 1 to 500 events.', 'import_events', () => ({ events: [] })],
  [
    'the import of a user without an id',
    'users must be a list of at most 5000, each with an id and a name of one line.',
    'import_events',
    () => ({ events: [{}], users: [{ id: 'ada', name: 'Ada' }] }),
  ],
  ['an archive of any time', /^before must be a time/, 'plan_archive', () => ({ before: null })],
  [
    'an archive beyond the log',
    /^The archive ends at 0, the log at \d+: 999 is not between them\.$/,
    'snapshot_events',
    () => ({ last_seq: 999 }),
  ],
];

function completed({ task, lock_token }: Named, evidence: object): Record<string, unknown> {
  return append({
    stream: `task:${task}`,
    type: 'task.completed',
    data: { evidence: [evidence] },
    expect: { lock_token },
  });
}

describe('the database', () => {
  test.for(REFUSED)('refuses %s by itself', async ([, because, fn, args], { as, people }) => {
    await plan(as('ada'), [{ title: 'A', acceptance_criteria: ['It is seen.'] }]);
    const held = await take(as('ada'), 'web-1');

    const attempt = ask({ ...as('ada'), actor: { ...people.owner, agent: 'ada' } }, fn, args(held));

    await expect(attempt).rejects.toMatchObject({
      code: expect.stringMatching(/^(invalid_input|not_found|forbidden)$/),
      message: typeof because === 'string' ? because : expect.stringMatching(because),
    });
  });

  test('asks which project is meant where there is none or there are several', async ({ as }) => {
    const list = (ctx: Context) => call(ctx, 'list_decisions');

    await expect(list(as('ada'))).rejects.toMatchObject({
      code: 'invalid_input',
      message: 'There is no project yet.',
    });
    await call(as('ada'), 'create_project', { slug: 'web', name: 'Web' });
    expect(await list(as('ada'))).toEqual({ decisions: [] });
    await call(as('ada'), 'create_project', { slug: 'zoo', name: 'Zoo' });
    await expect(list(as('ada'))).rejects.toMatchObject({
      code: 'invalid_input',
      details: { field: 'project', projects: ['zoo', 'web'] },
    });
  });

  test('signs nobody in without a name of theirs', async ({ as }) => {
    const sign = (identity: object) => as('ada').db.call('sign_in', { identity }, { user_id: '' });

    await expect(sign({ issuer: '', subject: 'ada' })).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(sign({ issuer: 'test' })).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('keeps the log as it is, whoever asks, and knows no stream that nothing applies', async () => {
    const scratch = await createScratch();
    try {
      const ada = await scratch.signIn('ada');
      await fillWorkspace(ada, 'zoo');
      const { rows: before } = await scratch.sql.query('select * from public.events');

      for (const change of ['update public.events set user_id = null', 'delete from public.events']) {
        await expect(scratch.sql.query(change)).rejects.toMatchObject({
          code: 'PT403',
          message: expect.stringMatching(/^The log is append-only/),
        });
      }
      await scratch.sql.query(`select app.declare_event('robot.built')`);
      const robot = { stream: `robot:${newId()}`, type: 'robot.built', data: {} };
      await expect(ada.db.call('append_events', append(robot), ada.actor)).rejects.toMatchObject({
        code: 'invalid_input',
        message: `There is no stream ${robot.stream}.`,
      });

      expect((await scratch.sql.query('select * from public.events')).rows).toEqual(before);
    } finally {
      await scratch.drop();
    }
  });
});
