import { newId } from '../../src/events/ids.ts';
import type { Facts, Refs } from '../support/categories.ts';

export const facts: Facts = {
  functions: {
    get_command: {
      naming: ({ command }) => [{ command }],
      reads: [{}],
      tools: { get_command: {} },
    },
    list_commands: {
      naming: ({ project }) => [{ project }, { status: 'queued' }],
      reads: [{}, { project: 'web' }, { status: 'queued' }],
      tools: { list_commands: {} },
    },
  },
  naming: ({ project, task, agent, command }) => [
    sent({ to: [agent] }),
    sent({ to: ['all'], project }),
    sent({ to: ['all'], task }),
    cancelled({ command }),
  ],
  changes: (refs) => [sent({ to: [refs.agent], project: refs.project }), cancelled(refs)],
  tampering: 'update public.commands set priority = 1 where tenant_id = $1',
  unsearched: 'They are listed; what they are about is found by its own words.',
  untriggering: 'A rule that waited for commands could send them.',
};

function sent(about: object) {
  return { stream: `command:${newId()}`, type: 'command.sent', data: { content: 'x', ...about } };
}

function cancelled({ command }: Pick<Refs, 'command'>) {
  return { stream: `command:${command}`, type: 'command.cancelled', data: { reason: 'x' } };
}
