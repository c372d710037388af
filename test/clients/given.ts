import type { Expect } from './expectations.ts';

export type ClientName = 'claude' | 'codex' | 'gemini';

/** What every part is given. */
export type Given = {
  clients: ClientName[];
  expectOf: (client: ClientName) => Expect;
  say: (text: string) => void;
};
