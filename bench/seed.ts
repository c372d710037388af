// Fills projects the way the server does: batches through the door, on one connection.
import type pg from 'pg';
import { newId } from '../src/events/ids.ts';

const BATCH_MAX = 200;
const PRIORITIES = ['low', 'medium', 'high', 'critical'];
const WORDS =
  'pelican harbour lantern granite meadow copper willow compass anchor ember thistle quarry falcon river'.split(' ');

export type Caller = { sql: pg.Client; actor: object };
type Recorded = { state: { ref: string } };

async function append({ sql, actor }: Caller, events: object[]): Promise<Recorded[]> {
  const text = 'select public.append_events(events => $1, actor => $2) as result';
  const values = [JSON.stringify(events), JSON.stringify(actor)];
  const { rows } = await sql.query<{ result: { events: Recorded[] } }>({ name: 'append', text, values });
  return rows[0]?.result.events ?? [];
}

export async function seedProject(caller: Caller, slug: string): Promise<void> {
  const data = { slug, name: `Project ${slug}`, description: 'Measured by the benchmark.' };
  await append(caller, [{ stream: `project:${newId()}`, type: 'project.created', data }]);
}

/** Tasks of a plan: every tenth waits for the one before it, every twentieth was cancelled. Answers with the refs. */
export async function seedTasks(caller: Caller, project: string, count: number): Promise<string[]> {
  const refs: string[] = [];
  const cancelled: string[] = [];
  for (let done = 0; done < count; done += BATCH_MAX) {
    const ids = Array.from({ length: Math.min(BATCH_MAX, count - done) }, newId);
    const events = await append(
      caller,
      ids.map((id, at) => ({
        stream: `task:${id}`,
        type: 'task.created',
        data: task(project, done + at, ids[at - 1]),
      })),
    );
    refs.push(...events.map(({ state }) => state.ref));
    cancelled.push(...ids.filter((_, at) => (done + at) % 20 === 7));
  }
  for (let done = 0; done < cancelled.length; done += BATCH_MAX) {
    const data = { reason: 'Not needed any more.' };
    const ids = cancelled.slice(done, done + BATCH_MAX);
    await append(
      caller,
      ids.map((id) => ({ stream: `task:${id}`, type: 'task.cancelled', data })),
    );
  }
  return refs;
}

function task(project: string, at: number, before: string | undefined): object {
  return {
    project,
    title: `${word(at)} ${word(at * 3 + 1)} ${at}`,
    description: `Make the ${word(at * 5 + 2)} fit the ${word(at * 11 + 3)}, and say in the docs how.`,
    acceptance_criteria: ['The tests pass.'],
    priority: PRIORITIES[at % 3],
    ...(at % 10 === 9 && before !== undefined && { dependencies: [before] }),
  };
}

function word(at: number): string | undefined {
  return WORDS[at % WORDS.length];
}

/** Notes with tasks, spread over them. */
export async function seedNotes(caller: Caller, refs: string[], count: number): Promise<void> {
  for (let done = 0; done < count; done += BATCH_MAX) {
    const notes = Array.from({ length: Math.min(BATCH_MAX, count - done) }, (_, at) => ({
      stream: `task:${refs[(done + at) % refs.length]}`,
      type: 'task.noted',
      data: {
        kind: 'progress',
        text: `The ${word(done + at)} is in place, the ${word(done + 3 * at + 1)} comes next.`,
      },
    }));
    await append(caller, notes);
  }
}

export async function countEvents({ sql }: Caller): Promise<number> {
  const { rows } = await sql.query<{ n: number }>('select count(*)::int as n from public.events');
  return rows[0]?.n ?? 0;
}
