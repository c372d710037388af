import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { DomainError } from '../errors.ts';
import { append } from '../events/append.ts';
import { Preset, PresetChanged, PresetName, presetChanged, presetRemoved, presetSaved } from '../events/presets.ts';
import { ProjectRef } from '../events/projects.ts';
import { ref } from '../text.ts';
import { page } from './pagination.ts';

const PresetRef = ref(100).describe('Name or id.');

export const ListPresets = z.strictObject({
  preset: PresetRef.optional().describe('Only this one: name or id. Yours comes before that of others.'),
  project: ProjectRef.optional().describe('Only those for this project or for all.'),
  ...page(20, 100),
});

export const PresetPage = z.object({ presets: z.array(Preset), next_cursor: z.string().optional() });

export const listPresets = sqlFunction('list_presets', PresetPage);

export const SavePreset = z.strictObject({
  name: PresetName,
  project: ProjectRef.optional().describe('That a new one is for. Default: all.'),
  ...PresetChanged.shape,
});

/** Saves a preset, or changes the caller's own of that name. */
export async function savePreset(
  ctx: Context,
  { name, project, ...data }: z.output<typeof SavePreset>,
): Promise<Preset> {
  const found = await findPreset(ctx, name);
  const isOwn = found !== undefined && found.by === undefined;
  const event = isOwn ? presetChanged(found.id, data) : presetSaved({ name, project }, data);
  const { events } = await append(ctx, [event]);
  return events[0].state;
}

export const RemovePreset = z.strictObject({ preset: PresetRef });

export async function removePreset(ctx: Context, { preset }: z.output<typeof RemovePreset>): Promise<Preset> {
  const found = await findPreset(ctx, preset);
  if (found === undefined) {
    throw new DomainError('not_found', `There is no preset ${preset}.`, { hint: 'list_presets shows their names.' });
  }
  const { events } = await append(ctx, [presetRemoved(found.id)]);
  return events[0].state;
}

async function findPreset(ctx: Context, preset: string): Promise<Preset | undefined> {
  const { presets } = await listPresets(ctx, { preset });
  return presets[0];
}
