import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { DomainError } from '../errors.ts';
import { append } from '../events/append.ts';
import {
  Profile,
  ProfileChanged,
  ProfileName,
  profileChanged,
  profileRemoved,
  profileSaved,
} from '../events/profiles.ts';
import { ProjectRef } from '../events/projects.ts';
import { ref } from '../text.ts';
import { page } from './pagination.ts';

const ProfileRef = ref(100).describe('Name or id.');

export const ListProfiles = z.strictObject({
  profile: ProfileRef.optional().describe('Only this one: name or id.'),
  project: ProjectRef.optional().describe('Only those for this project or for all.'),
  ...page(20, 100),
});

export const ProfilePage = z.object({ profiles: z.array(Profile), next_cursor: z.string().optional() });

export const listProfiles = sqlFunction('list_profiles', ProfilePage);

export const SaveProfile = z.strictObject({
  name: ProfileName,
  project: ProjectRef.optional().describe('That a new one is for. Default: all.'),
  ...ProfileChanged.shape,
});

/** Saves a profile, or changes the one of that name. A new default takes the place of the former one. */
export async function saveProfile(
  ctx: Context,
  { name, project, ...data }: z.output<typeof SaveProfile>,
): Promise<Profile> {
  const found = await findProfile(ctx, name);
  const event = found === undefined ? profileSaved({ name, project }, data) : profileChanged(found.id, data);
  const former = data.is_default ? await findDefault(ctx) : undefined;
  if (former === undefined || former.id === found?.id) {
    const { events } = await append(ctx, [event]);
    return events[0].state;
  }
  const { events } = await append(ctx, [profileChanged(former.id, { is_default: false }), event]);
  return events[1].state;
}

export const RemoveProfile = z.strictObject({ profile: ProfileRef });

export async function removeProfile(ctx: Context, { profile }: z.output<typeof RemoveProfile>): Promise<Profile> {
  const found = await findProfile(ctx, profile);
  if (found === undefined) {
    throw new DomainError('not_found', `There is no profile ${profile}.`, { hint: 'list_profiles shows their names.' });
  }
  const { events } = await append(ctx, [profileRemoved(found.id)]);
  return events[0].state;
}

async function findProfile(ctx: Context, profile: string): Promise<Profile | undefined> {
  const { profiles } = await listProfiles(ctx, { profile });
  return profiles[0];
}

/** The default is listed first. */
async function findDefault(ctx: Context): Promise<Profile | undefined> {
  const { profiles } = await listProfiles(ctx, { page_size: 1 });
  return profiles.find(({ is_default }) => is_default);
}
