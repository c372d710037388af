import { readdir } from 'node:fs/promises';
import type { AuthFunctionName, FunctionName } from '../../src/db/functions.ts';
import type { Request } from './commands.ts';
import type { Filled } from './fill-workspace.ts';

/** The forms in which arguments may name things of a workspace. */
export type Refs = Record<Exclude<keyof Filled, 'tasks'> | 'task' | 'event', string>;

type CalledFunction = Exclude<FunctionName, AuthFunctionName>;

/** What the shared suites ask of a function. */
export type Asked = {
  /** Every call in which something of another workspace can be named; `own` is the caller's project. */
  naming(refs: Refs): object[];
  /** Calls that read, with something to find in a filled workspace; none if it writes. */
  reads: object[];
  /** The same as tools. */
  tools?: Record<string, object>;
};

/** What the shared suites know of a category: they iterate over the folder `test/categories`. */
export type Facts = {
  functions: Partial<Record<CalledFunction, Asked>>;
  /** Events that name something of another workspace, or the one that `refs` name. */
  naming(refs: Refs): Request[];
  /** Events that callers may record of one, or that create one, in the project. */
  changes(refs: Refs): Request[];
  /** A change of a live row, which replay takes back. */
  tampering: string;
  /** Why not, where search does not find it, rules do not wait for it, or its answer is the plain row. */
  unsearched?: string;
  untriggering?: string;
  plain?: string;
};

const FOLDER = new URL('../categories/', import.meta.url);

/** The facts of each category, by its word. */
export const CATEGORIES: ReadonlyMap<string, Facts> = new Map(
  await Promise.all(
    (await readdir(FOLDER)).sort().map(async (file): Promise<[string, Facts]> => {
      const { facts } = await import(new URL(file, FOLDER).href);
      return [file.replace(/\.ts$/, ''), facts];
    }),
  ),
);

const FACTS = [...CATEGORIES.values()];

/** The functions of all categories, and what is asked of each. */
export const ASKED = Object.assign({}, ...FACTS.map(({ functions }) => functions)) as Partial<
  Record<CalledFunction, Asked>
>;

/** Calls that read, with the first of their arguments. */
export const READS: Record<string, Record<string, unknown>> = Object.fromEntries(
  Object.entries(ASKED).flatMap(([fn, { reads }]) => (reads[0] === undefined ? [] : [[fn, { ...reads[0] }]])),
);

/** All calls that read. */
export const QUESTIONS: [fn: FunctionName, args: Record<string, unknown>][] = Object.entries(ASKED).flatMap(
  ([fn, { reads }]) => reads.map((args): [FunctionName, Record<string, unknown>] => [fn as FunctionName, { ...args }]),
);

/** The tools of categories that read, with their arguments. */
export const READING_TOOLS: Record<string, object> = Object.assign(
  {},
  ...Object.values(ASKED).map(({ tools }) => tools ?? {}),
);

export function namingEvents(refs: Refs): Request[] {
  return FACTS.flatMap(({ naming }) => naming(refs));
}
