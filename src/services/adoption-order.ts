import type { ForeignTask } from '../formats/foreign-task.ts';

type Tasks = ReadonlyMap<string, ForeignTask>;

/**
 * Orders tasks so that they can be created: after their dependencies and, if that leaves room, after their parent and
 * origin. A cycle of dependencies loses the link that closes it.
 */
export function inOrder(byKey: Tasks, warnings: string[]): ForeignTask[] {
  const ordered = afterParents(afterDependencies(byKey, warnings), byKey);
  const last = boundToCancelled(ordered, byKey);
  return [...ordered.filter((task) => !last.has(task.key)), ...ordered.filter((task) => last.has(task.key))];
}

/** Visits dependencies depth first, without recursion: a chain may be as long as the file. */
function afterDependencies(byKey: Tasks, warnings: string[]): ForeignTask[] {
  const ordered: ForeignTask[] = [];
  const state = new Map<string, 'open' | 'done'>();
  for (const root of byKey.values()) {
    const path = state.has(root.key) ? [] : [{ task: root, next: 0 }];
    state.set(root.key, state.get(root.key) ?? 'open');
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const { task } = step;
      const name = task.dependencies[step.next++];
      if (name === undefined) {
        state.set(task.key, 'done');
        ordered.push(task);
        path.pop();
      } else if (state.get(name) === 'open') {
        step.next -= 1;
        task.dependencies = task.dependencies.filter((other) => other !== name);
        warnings.push(`${task.key}: left out the dependency on ${name}, which waits for it.`);
      } else if (state.get(name) === undefined) {
        const named = byKey.get(name);
        state.set(name, 'open');
        if (named !== undefined) path.push({ task: named, next: 0 });
      }
    }
  }
  return ordered;
}

/** Places each task as soon as the tasks it names are there, and not before its turn. */
function afterParents(ordered: ForeignTask[], byKey: Tasks): ForeignTask[] {
  const placed = new Set<ForeignTask>();
  const passed = new Set<ForeignTask>();
  const open = new Map<string, number>();
  const waiting = new Map<string, ForeignTask[]>();
  for (const task of ordered) {
    const before = new Set(namedBy(task).filter((name) => byKey.has(name)));
    open.set(task.key, before.size);
    for (const name of before) waiting.set(name, [...(waiting.get(name) ?? []), task]);
  }
  const place = (first: ForeignTask) => {
    const next = [first];
    for (let task = next.pop(); task !== undefined; task = next.pop()) {
      if (placed.has(task)) continue;
      placed.add(task);
      for (const other of (waiting.get(task.key) ?? []).toReversed()) {
        const left = (open.get(other.key) ?? 0) - 1;
        open.set(other.key, left);
        if (left === 0 && passed.has(other)) next.push(other);
      }
    }
  };
  for (const task of ordered) {
    if (open.get(task.key) === 0) place(task);
    passed.add(task);
  }
  // The whole depends on its own part, so the part comes first.
  for (const task of ordered) place(task);
  return [...placed];
}

/**
 * Finds cancelled tasks that others depend on, and their dependents: they come last, close together, because a new
 * dependency on a cancelled task is forbidden.
 */
function boundToCancelled(ordered: ForeignTask[], byKey: Tasks): Set<string> {
  const bound = new Set<string>();
  for (const { dependencies } of ordered) {
    for (const name of dependencies) if (byKey.get(name)?.status === 'cancelled') bound.add(name);
  }
  for (const task of ordered) if (namedBy(task).some((name) => bound.has(name))) bound.add(task.key);
  return bound;
}

function namedBy({ dependencies, parent, discovered_from }: ForeignTask): string[] {
  return [...dependencies, ...[parent, discovered_from].filter((name) => name !== undefined)];
}
