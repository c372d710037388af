import process from 'node:process';
import { type Config, thisHost } from '../config.ts';
import { DomainError } from '../errors.ts';
import { shellAgent } from './agents/shell-agent.ts';

type Shell = Pick<Config, 'agent'>;

/** Refuses what only a person does, in an agent's shell. Raises forbidden. */
export function refuseAgent(config: Shell): void {
  if (shellAgent(config, thisHost().env) === undefined) return;
  throw new DomainError('forbidden', 'This is decided by a person, not by an agent.', {
    hint: 'Ask the person to run the command in a terminal of their own.',
  });
}

/**
 * Refuses what only a person decides where an agent may be the one who types: in an agent's shell, and without a
 * terminal. Raises forbidden.
 */
export function requirePerson(config: Shell): void {
  if (shellAgent(config, thisHost().env) === undefined && process.stdin.isTTY === true) return;
  throw new DomainError('forbidden', 'This is decided by a person at a terminal, not by an agent.', {
    hint: 'Run the command yourself, in a terminal of your own and without a pipe.',
  });
}
