import { hostname } from 'node:os';
import { firstOf } from './text.ts';

/** What this machine calls itself, at most so long as an agent's host may be. */
export function hostName(): string {
  return firstOf(hostname(), 200);
}
