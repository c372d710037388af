import type { Client, ServerCommand } from './catalog.ts';

export type Scope = 'project' | 'user';

export type Wanted = {
  clients: readonly Client[];
  scope: Scope;
  /** The root of the repository; without one only the user's files are written. */
  repository: string | null;
  project: string | undefined;
  hooks: boolean;
  instructions: boolean;
  server(shared: boolean): ServerCommand;
  /** The line that runs a hook of a client. */
  hook(event: string, client: string): string;
};
