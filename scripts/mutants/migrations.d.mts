/** Where mutants of SQL are looked for. */
export const SQL: string;

export type Mutant = { file: string; find: string; replace: string; within?: string; isRefusal?: boolean };
export type Migration = { file: string; source: string };

/** A piece of a migration; `files` are those that ever defined the function around it. */
export type Place = { file: string; from: number; to: number; text: string; within?: string; files: string[] };

export function readMigrations(root: string): Promise<Migration[]>;
export function placeOf(migrations: Migration[], mutant: Omit<Mutant, 'file' | 'replace'>): Place;
export function refusalsIn(migrations: Migration[]): Place[];
