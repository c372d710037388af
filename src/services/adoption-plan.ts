import { idOf } from '../events/ids.ts';
import {
  CRITERIA_MAX,
  CRITERION_CHARACTERS_MAX,
  DEPENDENCIES_MAX,
  DESCRIPTION_CHARACTERS_MAX,
  isRank,
  LABEL_CHARACTERS_MAX,
  LABELS_MAX,
  REASON_CHARACTERS_MAX,
  TITLE_CHARACTERS_MAX,
} from '../events/tasks.ts';
import type { ForeignTask } from '../formats/foreign-task.ts';
import { clean, cleanLine, cleanName, firstOf, leftOut } from '../text.ts';
import { inOrder } from './adoption-order.ts';

const CUT = '…';

type Tasks = ReadonlyMap<string, ForeignTask>;

export type Plan = {
  /** Dependencies first, otherwise in the order of the file. */
  tasks: ForeignTask[];
  /** Warnings of data that could not be imported unchanged. */
  warnings: string[];
};

/**
 * Orders tasks so that they can be created within Cairn's limits; warnings name what does not fit, after the earlier
 * ones.
 */
export function planAdoption(given: ForeignTask[], found: readonly string[] = []): Plan {
  const warnings = [...found];
  const byKey = new Map<string, ForeignTask>();
  for (const task of withOwnNames(given, warnings)) byKey.set(task.key, task);
  const linked = new Map<string, ForeignTask>();
  for (const [key, task] of byKey) {
    for (const what of task.left_out ?? []) warnings.push(`${key}: left out ${what}.`);
    linked.set(key, withKnownLinks(withinLimits(task, warnings), byKey, warnings));
  }
  dropCircles(linked, warnings);
  for (const task of linked.values()) dropUnmet(task, linked, warnings);
  const tasks = inOrder(linked, warnings);
  for (const task of tasks) warnOfVain(task, linked, warnings);
  const placed = new Set<string>();
  for (const task of tasks) {
    if (task.discovered_from !== undefined && !placed.has(task.discovered_from)) {
      warnings.push(`${task.key}: left out the origin ${task.discovered_from}, which waits for it.`);
      task.discovered_from = undefined;
    }
    placed.add(task.key);
  }
  return { tasks, warnings };
}

/** Gives each task its own name: links mean the first of two with the same name. */
function withOwnNames(given: ForeignTask[], warnings: string[]): ForeignTask[] {
  const taken = new Set(given.map(({ key }) => key));
  const seen = new Map<string, ForeignTask>();
  const times = new Map<string, number>();
  return given.map((task) => {
    const first = seen.get(task.key);
    if (first === undefined) {
      seen.set(task.key, task);
      return task;
    }
    let at = times.get(task.key) ?? 1;
    do at += 1;
    while (taken.has(`${task.key} (${at})`));
    times.set(task.key, at);
    const key = `${task.key} (${at})`;
    warnings.push(
      `${task.place} has the name ${task.key}, like ${first.place}: it is called ${key}, and links mean the first.`,
    );
    return { ...task, key };
  });
}

/**
 * Returns the status after the import: nobody works on the task here, and a task that depends on a cancelled one is
 * blocked.
 */
export function statusHere(task: ForeignTask, byKey: ReadonlyMap<string, ForeignTask>): ForeignTask['status'] {
  if (task.status !== 'pending' && task.status !== 'in_progress') return task.status;
  return task.dependencies.some((name) => byKey.get(name)?.status === 'cancelled') ? 'blocked' : 'pending';
}

/** Returns an imported task's id: made from its origin and its project, so that a repeat finds it again. */
export function adoptedId(projectId: string, format: string, key: string): string {
  return idOf(JSON.stringify([projectId, format, key]));
}

function withinLimits(task: ForeignTask, warnings: string[]): ForeignTask {
  warnOfLosses(task, warnings);
  // A title of invisible characters counts as missing.
  const title = cleanLine(task.title) || cleanLine(task.key) || cleanLine(task.place);
  const criteria = (task.acceptance_criteria ?? []).map(cleanLine).filter((text) => text !== '');
  const remark = task.remark && clean(task.remark).trim();
  const labels = labelsWithinLimits(task);
  const spare = [
    ...(title.length > TITLE_CHARACTERS_MAX ? [title] : []),
    ...criteria.filter((text, at) => at >= CRITERIA_MAX || text.length > CRITERION_CHARACTERS_MAX),
    ...(remark && remark.length > REASON_CHARACTERS_MAX ? [remark] : []),
    ...(labels.spare.length > 0 ? [`Labels: ${labels.spare.join(', ')}`] : []),
  ];
  if (spare.length > 0) warnings.push(`${task.key}: what is too long for its field is in the description as well.`);
  // An open task has no place for a remark about its end.
  const said = task.status === 'pending' && remark ? [remark] : [];
  const description = clean([task.description ?? '', ...said, ...spare].join('\n\n')).trim();
  if (description.length > DESCRIPTION_CHARACTERS_MAX) {
    const rest = description.slice(cut(description, DESCRIPTION_CHARACTERS_MAX).length - CUT.length);
    warnings.push(
      `${task.key}: the description was cut to ${DESCRIPTION_CHARACTERS_MAX} characters; left out: ${rest}`,
    );
  }
  return {
    ...task,
    title: cut(title, TITLE_CHARACTERS_MAX),
    remark,
    description: cut(description, DESCRIPTION_CHARACTERS_MAX),
    acceptance_criteria: criteria.slice(0, CRITERIA_MAX).map((text) => cut(text, CRITERION_CHARACTERS_MAX)),
    unmet: task.unmet?.map((text) => cut(cleanLine(text), CRITERION_CHARACTERS_MAX)),
    labels: labels.kept.length > 0 ? labels.kept : undefined,
    rank: rankWithinLimits(task, warnings),
  };
}

/** Splits labels into those within the limits of number and length, and the rest. */
function labelsWithinLimits({ labels = [] }: ForeignTask): { kept: string[]; spare: string[] } {
  const given = [...new Set(labels.map((label) => cleanName(label, label.length)))].filter((label) => label !== '');
  const kept = given.filter((label) => label.length <= LABEL_CHARACTERS_MAX).slice(0, LABELS_MAX);
  return { kept, spare: given.filter((label) => !kept.includes(label)) };
}

function rankWithinLimits({ key, rank }: ForeignTask, warnings: string[]): number | undefined {
  if (rank === undefined || isRank(rank)) return rank;
  warnings.push(`${key}: left out its rank ${rank}, which is too large or too small.`);
  return undefined;
}

function warnOfLosses({ key, labels, ...task }: ForeignTask, warnings: string[]): void {
  const { title, description, acceptance_criteria, remark } = task;
  const criteria = acceptance_criteria?.join(' ');
  const texts = { title, description, acceptance_criteria: criteria, remark, labels: labels?.join(' ') };
  for (const [field, text] of Object.entries(texts)) {
    const what = leftOut(text ?? '');
    if (what !== undefined) warnings.push(`${key}: ${what} left out of its ${field.replace('_', ' ')}.`);
  }
}

/** Keeps only links that lead somewhere. */
function withKnownLinks(task: ForeignTask, byKey: ReadonlyMap<string, ForeignTask>, warnings: string[]): ForeignTask {
  const known = (name: string | undefined, what: string) => {
    if (name === undefined) return undefined;
    if (name !== task.key && byKey.has(name)) return name;
    warnings.push(
      `${task.key}: left out ${what} ${name}, which is ${name === task.key ? 'itself' : 'not in the file'}.`,
    );
    return undefined;
  };
  const dependencies = [...new Set(task.dependencies)].flatMap((name) => known(name, 'the dependency on') ?? []);
  if (dependencies.length > DEPENDENCIES_MAX) {
    warnings.push(
      `${task.key}: left out ${dependencies.length - DEPENDENCIES_MAX} dependencies past the ${DEPENDENCIES_MAX}th.`,
    );
  }
  return {
    ...task,
    dependencies: dependencies.slice(0, DEPENDENCIES_MAX),
    parent: known(task.parent, 'the parent'),
    discovered_from: known(task.discovered_from, 'the origin'),
  };
}

/** Drops a parent that would make a task a part of itself. */
function dropCircles(byKey: ReadonlyMap<string, ForeignTask>, warnings: string[]): void {
  const rooted = new Set<string>();
  for (const start of byKey.values()) {
    const path = new Set<string>();
    let task: ForeignTask | undefined = start;
    while (task !== undefined && !rooted.has(task.key) && !path.has(task.key)) {
      path.add(task.key);
      task = byKey.get(task.parent ?? '');
    }
    if (task !== undefined && path.has(task.key)) {
      warnings.push(`${task.key}: left out the parent ${task.parent}, which is a part of it.`);
      task.parent = undefined;
    }
    for (const key of path) rooted.add(key);
  }
}

/** Drops the dependencies of a completed task: other tools let a task be closed before its dependencies. */
function dropUnmet(task: ForeignTask, byKey: ReadonlyMap<string, ForeignTask>, warnings: string[]): void {
  if (task.status !== 'completed') return;
  const unmet = task.dependencies.filter((name) => byKey.get(name)?.status !== 'completed');
  if (unmet.length === 0) return;
  warnings.push(`${task.key}: it is completed, so its dependency on ${unmet.join(', ')} was left out.`);
  task.dependencies = task.dependencies.filter((name) => !unmet.includes(name));
}

/** Warns of a part that depends on its whole, which is ready only after its parts: neither begins. */
function warnOfVain({ key, parent, dependencies }: ForeignTask, byKey: Tasks, warnings: string[]): void {
  const names = new Set(dependencies);
  // Cycles of parents are cut by now.
  for (let above = parent; above !== undefined; above = byKey.get(above)?.parent) {
    if (names.has(above)) warnings.push(`${key}: it waits for ${above}, a part of which it is: neither becomes ready.`);
  }
}

function cut(text: string, charactersMax: number): string {
  return text.length <= charactersMax ? text : `${firstOf(text, charactersMax - 1)}${CUT}`;
}
