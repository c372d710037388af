import { Preset } from '../events/presets.ts';
import { Profile } from '../events/profiles.ts';
import { named, quote } from '../quote.ts';
import {
  ListPresets,
  listPresets,
  PresetPage,
  RemovePreset,
  removePreset,
  SavePreset,
  savePreset,
} from '../services/presets.ts';
import {
  ListProfiles,
  listProfiles,
  ProfilePage,
  RemoveProfile,
  removeProfile,
  SaveProfile,
  saveProfile,
} from '../services/profiles.ts';
import { agents } from './agents.ts';
import { block, lines, nextPage, time, times } from './render.ts';
import { toolset } from './tool.ts';

export const presets = toolset(
  'presets',
  {
    purpose: 'commands worth repeating, and limits for them',
    description: 'Templates of commands to agents, and profiles of limits, each under a name.',
    scopes: agents.scopes,
  },
  {
    list_presets: {
      title: 'List presets',
      description: 'Read the templates of commands, the most used first.',
      effect: 'read',
      input: ListPresets,
      output: PresetPage,
      run: listPresets,
      render: ({ presets: found, next_cursor }) =>
        found.length === 0 ? 'No presets.' : lines(found.map(renderPreset), nextPage(next_cursor)),
    },
    save_preset: {
      title: 'Save a preset',
      description: 'Keep a command as a template, or change yours of that name: what is left out stays as it is.',
      effect: 'write',
      scope: 'agents:send',
      input: SavePreset,
      output: Preset,
      run: savePreset,
      render: (preset) => `Saved ${renderPreset(preset)}`,
    },
    remove_preset: {
      title: 'Remove a preset',
      description: 'Take a preset away. Commands that were made of it stay as they are.',
      effect: 'destructive',
      scope: 'agents:send',
      input: RemovePreset,
      output: Preset,
      run: removePreset,
      render: ({ name }) => `Removed the preset ${named(name)}.`,
    },
    list_profiles: {
      title: 'List profiles',
      description: 'Read the profiles of limits for commands, the default first.',
      effect: 'read',
      input: ListProfiles,
      output: ProfilePage,
      run: listProfiles,
      render: ({ profiles: found, next_cursor }) =>
        found.length === 0 ? 'No profiles.' : lines(found.map(profileLine), nextPage(next_cursor)),
    },
    save_profile: {
      title: 'Save a profile',
      description:
        'Keep limits for commands under a name, or change the profile of that name: what is left out stays as it is, 0 takes a limit away.',
      effect: 'write',
      scope: 'agents:send',
      input: SaveProfile,
      output: Profile,
      run: saveProfile,
      render: (profile) => `Saved ${profileLine(profile)}`,
    },
    remove_profile: {
      title: 'Remove a profile',
      description: 'Take a profile away. Commands that were sent with it keep their limits.',
      effect: 'destructive',
      scope: 'agents:send',
      input: RemoveProfile,
      output: Profile,
      run: removeProfile,
      render: ({ name }) => `Removed the profile ${named(name)}.`,
    },
  },
);

function renderPreset(preset: Preset): string {
  const {
    name,
    type,
    project,
    target_agent_types: types,
    words_of,
    by,
    usage_count,
    last_used_at,
    description,
  } = preset;
  const about = [
    type,
    project !== undefined && `for ${project}`,
    types !== undefined && `for agents of type ${types.map(named).join(', ')}`,
    words_of !== undefined && `in words of the agent ${named(words_of)}`,
    by !== undefined && `of ${named(by)}`,
    last_used_at !== undefined && `used ${times(usage_count)}, last ${time(last_used_at)}`,
  ].filter((part) => part !== false);
  return lines(
    `${named(name)}: ${about.join(', ')} (${preset.id})`,
    description !== undefined && block('description', description),
    block('content', preset.content),
    preset.variables.map(
      (variable) =>
        `{{${variable.name}}}: ${quote(variable.description)}${variable.default === undefined ? '' : `, default ${quote(variable.default)}`}`,
    ),
  );
}

/** Formats a profile on one line. */
function profileLine(profile: Profile): string {
  const { name, is_default, project, description, id } = profile;
  const about = [
    is_default && 'the default',
    project !== undefined && `for ${project}`,
    ...limitsOf(profile),
    description !== undefined && quote(description),
  ].filter((part) => part !== false);
  return `${named(name)}: ${about.length === 0 ? 'no limit' : about.join(', ')} (${id})`;
}

/** Formats each limit that a profile has. */
function limitsOf(profile: Profile): string[] {
  const limits: [limit: number | undefined, words: (limit: number) => string][] = [
    [profile.time_limit_ms, (limit) => `${limit} ms`],
    [profile.token_budget, (limit) => `${limit} tokens`],
    [profile.memory_limit_mb, (limit) => `${limit} MB`],
    [profile.cpu_limit_percent, (limit) => `${limit} % CPU`],
    [profile.silence_limit_ms, (limit) => `${limit} ms without a sign of work`],
  ];
  return limits.flatMap(([limit, words]) => (limit === undefined ? [] : [words(limit)]));
}
