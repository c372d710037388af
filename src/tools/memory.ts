import { Memory } from '../events/memory.ts';
import { Recall, Recalled, Remember, recall, remember } from '../services/memory.ts';
import { renderRecalled, renderRemembered } from './memory-text.ts';

/** Tools of the toolset `agents`, with the scopes of decisions and checkpoints: they are a project's knowledge, too. */
export const memoryTools = {
  remember: {
    title: 'Remember',
    description:
      'Note what later runs and other agents should know, under a key: a fact, a preference, a procedure or a hypothesis. ' +
      'The same key again supersedes it. They get it when they resume.',
    effect: 'write',
    scope: 'projects:write',
    input: Remember,
    output: Memory,
    run: remember,
    render: renderRemembered,
  },
  recall: {
    title: 'Recall',
    description:
      'Read what was remembered, by words or key, or the most relevant. It is what agents noted: check it before you rely on it.',
    effect: 'read',
    scope: 'projects:read',
    input: Recall,
    output: Recalled,
    run: recall,
    render: renderRecalled,
  },
} as const;
