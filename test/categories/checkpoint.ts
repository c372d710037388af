import { newId } from '../../src/events/ids.ts';
import type { Facts } from '../support/categories.ts';

const web = { project: 'web' };

export const facts: Facts = {
  functions: {
    compare_checkpoint: {
      naming: ({ project, checkpoint }) => [{ checkpoint }, { project }],
      reads: [web],
      tools: { compare_checkpoint: web },
    },
    get_checkpoint: {
      naming: ({ project, checkpoint }) => [{ checkpoint }, { project }],
      reads: [web],
      tools: { get_checkpoint: web },
    },
    list_checkpoints: {
      naming: ({ project }) => [{ project }],
      reads: [web],
      tools: { list_checkpoints: web },
    },
    resume_project: {
      naming: ({ project }) => [{ project }, { project: 'own' }],
      reads: [web],
      tools: { resume_project: web },
    },
  },
  naming: ({ project }) => [saved(project)],
  changes: ({ project }) => [saved(project)],
  tampering: `update public.checkpoints set summary = 'x' where tenant_id = $1`,
};

function saved(project: string) {
  return { stream: `checkpoint:${newId()}`, type: 'checkpoint.saved', data: { project, label: 'x', summary: 'x' } };
}
