import type { Facts } from '../support/categories.ts';

const web = { project: 'web' };

export const facts: Facts = {
  functions: {
    get_project: { naming: ({ project }) => [{ project }], reads: [web], tools: { get_project: web } },
    list_projects: {
      naming: () => [{ include_archived: true, page_size: 100 }],
      reads: [{}],
      tools: { list_projects: {} },
    },
    get_state: {
      naming: ({ project }) => [{ project }, { project, seq: 1 }],
      reads: [web],
      tools: { get_state: web },
    },
  },
  naming: ({ project, event }) => [
    noted(project),
    { stream: `project:${project}`, type: 'project.archived', data: {} },
    noted('own', { answers: event }),
  ],
  changes: ({ project }) => [
    noted(project),
    { stream: `project:${project}`, type: 'project.updated', data: { name: 'x' } },
  ],
  tampering: `update public.projects set rules = '{}' where tenant_id = $1`,
  untriggering: 'Rules are about the work in it.',
  plain: 'It has an apply of its own, which answers with its counts.',
};

function noted(project: string, about: object = {}) {
  return { stream: `project:${project}`, type: 'project.noted', data: { text: 'x', kind: 'note', ...about } };
}
