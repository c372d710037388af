import * as z from 'zod';
import { DomainError } from '../errors.ts';
import { newId } from '../events/ids.ts';
import { TaskCreated } from '../events/tasks.ts';

/** A task of a batch. Dependencies and parent may name another one of the batch by its key. */
export const NewTask = z.strictObject({
  key: z
    .string()
    .max(31)
    .refine((key) => /^[a-z][a-z0-9_]*$/.test(key), 'must be lower-case letters, digits and underscores')
    .optional()
    .describe('Name within this call.'),
  ...TaskCreated.shape,
  dependencies: TaskCreated.shape.dependencies.describe('Refs or keys of what must be completed first.'),
});
export type NewTask = z.output<typeof NewTask>;

type Member = { id: string; place: number; data: Omit<NewTask, 'key'> };

/** Gives each task its id, replaces keys by ids, and orders tasks after those they name. */
export function orderBatch(tasks: NewTask[]): Member[] {
  const ids = tasks.map(() => newId());
  const places = placesByKey(tasks);
  const idFor = (name: string) => ids[places.get(name) ?? -1] ?? name;

  const ordered: Member[] = [];
  const path: number[] = [];
  const done = new Set<number>();
  function visit(place: number): void {
    if (done.has(place)) return;
    if (path.includes(place)) throw cycle(tasks, [...path.slice(path.indexOf(place)), place]);
    const [task, id] = [tasks[place], ids[place]];
    if (task === undefined || id === undefined) return;
    const { key: _, ...data } = task;
    path.push(place);
    for (const name of [...(data.dependencies ?? []), data.parent ?? '']) {
      const named = places.get(name);
      if (named !== undefined) visit(named);
    }
    path.pop();
    done.add(place);
    const dependencies = data.dependencies?.map(idFor);
    const parent = data.parent === undefined ? undefined : idFor(data.parent);
    ordered.push({ id, place, data: { ...data, dependencies, parent } });
  }
  for (const place of tasks.keys()) visit(place);
  return ordered;
}

function placesByKey(tasks: NewTask[]): Map<string, number> {
  const places = new Map<string, number>();
  for (const [place, { key }] of tasks.entries()) {
    if (key === undefined) continue;
    if (places.has(key)) {
      throw new DomainError('invalid_input', `Two tasks have the key ${key}.`, {
        hint: 'Give each task of the call a key of its own.',
        details: { field: `tasks[${place}].key` },
      });
    }
    places.set(key, place);
  }
  return places;
}

function cycle(tasks: NewTask[], places: number[]): DomainError {
  const path = places.map((place) => tasks[place]?.key ?? tasks[place]?.title).join(' → ');
  return new DomainError('dependency_cycle', `The tasks wait for each other: ${path}.`, {
    hint: 'Each task waits for the one after it. Leave one of them out.',
    details: { cycle: path },
  });
}
