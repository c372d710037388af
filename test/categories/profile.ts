import type { Facts } from '../support/categories.ts';

export const facts: Facts = {
  functions: {
    list_profiles: {
      naming: ({ project, profile }) => [{ project }, { profile }, { profile: `Pelican in ${project}` }, {}],
      reads: [{ project: 'web' }, { profile: 'pelican in web' }, {}],
      tools: { list_profiles: {} },
    },
  },
  naming: ({ profile, project }) => [...changes(profile), saved(project)],
  changes: ({ profile }) => changes(profile),
  tampering: `update public.execution_constraints set time_limit_ms = 1 where tenant_id = $1`,
  unsearched: 'A command names it, or takes the default; its limits are no words.',
  untriggering: 'It is kept for later commands; nothing has happened in a project.',
};

function changes(profile: string) {
  const stream = `profile:${profile}`;
  return [
    { stream, type: 'profile.changed', data: { time_limit_ms: 1 } },
    { stream, type: 'profile.removed', data: {} },
  ];
}

function saved(project: string) {
  const stream = 'profile:018f0000-0000-7000-8000-00000000000a';
  return { stream, type: 'profile.saved', data: { name: 'Mine', project } };
}
