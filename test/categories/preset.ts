import type { Facts } from '../support/categories.ts';

export const facts: Facts = {
  functions: {
    list_presets: {
      naming: ({ project, preset }) => [{ project }, { preset }, { preset: `Paint in ${project}` }, {}],
      reads: [{ project: 'web' }, { preset: 'paint in web' }, {}],
      tools: { list_presets: {} },
    },
  },
  naming: ({ preset, project }) => [...changes(preset), saved(project)],
  changes: ({ preset }) => changes(preset),
  tampering: `update public.command_presets set content = 'x', removed_at = now() where tenant_id = $1`,
  unsearched: 'A command names it; what was done with it is found by its own words.',
  untriggering: 'It is kept for later commands; nothing has happened in a project.',
};

function changes(preset: string) {
  const stream = `preset:${preset}`;
  return [
    { stream, type: 'preset.changed', data: { content: 'x', variables: [] } },
    { stream, type: 'preset.removed', data: {} },
  ];
}

function saved(project: string) {
  const stream = 'preset:018f0000-0000-7000-8000-000000000009';
  return { stream, type: 'preset.saved', data: { name: 'Mine', content: 'x', project } };
}
