// Fills projects the way the server does: batches through the door, on one connection.
import { newId } from '../build/src/events/ids.js';

const BATCH_MAX = 200;
const PRIORITIES = ['low', 'medium', 'high', 'critical'];
const WORDS =
  'pelican harbour lantern granite meadow copper willow compass anchor ember thistle quarry falcon river'.split(' ');

/** @typedef {{ sql: import('pg').Client, actor: object }} Caller */

/** @param {Caller} caller @param {object[]} events */
async function append({ sql, actor }, events) {
  const text = 'select public.append_events(events => $1, actor => $2) as result';
  const { rows } = await sql.query({ name: 'append', text, values: [JSON.stringify(events), JSON.stringify(actor)] });
  return rows[0].result.events;
}

/** @param {Caller} caller @param {string} slug */
export async function seedProject(caller, slug) {
  const data = { slug, name: `Project ${slug}`, description: 'Measured by the benchmark.' };
  await append(caller, [{ stream: `project:${newId()}`, type: 'project.created', data }]);
}

/**
 * Tasks of a plan: every tenth waits for the one before it, every twentieth was cancelled. Answers with the refs.
 * @param {Caller} caller @param {string} project @param {number} count
 */
export async function seedTasks(caller, project, count) {
  const refs = [];
  const cancelled = [];
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

/** @param {string} project @param {number} at @param {string | undefined} before */
function task(project, at, before) {
  return {
    project,
    title: `${word(at)} ${word(at * 3 + 1)} ${at}`,
    description: `Make the ${word(at * 5 + 2)} fit the ${word(at * 11 + 3)}, and say in the docs how.`,
    acceptance_criteria: ['The tests pass.'],
    priority: PRIORITIES[at % 3],
    ...(at % 10 === 9 && before !== undefined && { dependencies: [before] }),
  };
}

/** @param {number} at */
function word(at) {
  return WORDS[at % WORDS.length];
}

/** Notes with tasks, spread over them. @param {Caller} caller @param {string[]} refs @param {number} count */
export async function seedNotes(caller, refs, count) {
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

/** What is in the workspace. @param {Caller} caller */
export async function countEvents({ sql }) {
  const { rows } = await sql.query('select count(*)::int as n from public.events');
  return rows[0].n;
}
