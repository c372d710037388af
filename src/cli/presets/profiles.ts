import type { Config } from '../../config.ts';
import type { Profile } from '../../events/profiles.ts';
import { presets as presetTools } from '../../tools/presets.ts';
import { durationOf } from '../limits.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { readPages } from '../pagination.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { table } from '../terminal/table.ts';
import type { ListOptions } from './presets.ts';

const SHOWN_MAX = 1_000;

export type SaveProfileOptions = JsonOption & {
  project?: string | undefined;
  time?: number;
  tokens?: number;
  memory?: number;
  cpu?: number;
  silence?: number;
  default?: boolean;
  description?: string;
};

/** `cairn profiles`: those of the workspace. */
export async function runProfiles(config: Config, { project, ...options }: ListOptions): Promise<void> {
  const { items } = await inLocalContext(config, (ctx) =>
    readPages(
      SHOWN_MAX,
      (page) => perform(ctx, presetTools.commands.list_profiles, { ...page, project }),
      ({ profiles }) => profiles,
    ),
  );
  printResult({ profiles: items }, options, () =>
    items.length === 0 ? ['No profiles. `cairn profiles save NAME --time 30m` keeps one.'] : profileTable(items),
  );
}

/** `cairn profiles save NAME`. */
export async function runSave(config: Config, name: string, options: SaveProfileOptions): Promise<void> {
  const { project, time, tokens, memory, cpu, silence, description } = options;
  const saved = await inLocalContext(config, (ctx) =>
    perform(ctx, presetTools.commands.save_profile, {
      name,
      project,
      description,
      time_limit_ms: time,
      token_budget: tokens,
      memory_limit_mb: memory,
      cpu_limit_percent: cpu,
      silence_limit_ms: silence,
      is_default: options.default,
    }),
  );
  printResult(saved, options, () => [
    `The profile ${saved.name} is saved${saved.is_default ? ', and is the default' : ''}.`,
  ]);
}

/** `cairn profiles remove NAME`. */
export async function runRemove(config: Config, profile: string, options: JsonOption): Promise<void> {
  const removed = await inLocalContext(config, (ctx) => perform(ctx, presetTools.commands.remove_profile, { profile }));
  printResult(removed, options, () => [`The profile ${removed.name} is removed.`]);
}

function profileTable(profiles: readonly Profile[]): string[] {
  return table(profiles, [
    { heading: 'PROFILE', text: ({ name }) => name, style: (text) => styled('bold', text) },
    { heading: 'TIME', text: ({ time_limit_ms: limit }) => (limit === undefined ? '' : durationOf(limit)) },
    { heading: 'TOKENS', text: ({ token_budget: limit }) => limit?.toString() ?? '' },
    { heading: 'MEMORY', text: ({ memory_limit_mb: limit }) => (limit === undefined ? '' : `${limit} MB`), spare: 2 },
    { heading: 'CPU', text: ({ cpu_limit_percent: limit }) => (limit === undefined ? '' : `${limit} %`), spare: 1 },
    {
      heading: 'SILENCE',
      text: ({ silence_limit_ms: limit }) => (limit === undefined ? '' : durationOf(limit)),
      spare: 3,
    },
    {
      heading: 'DEFAULT',
      text: ({ is_default }) => (is_default ? 'default' : ''),
      style: (text) => styled('green', text),
    },
    { heading: 'WHAT', text: ({ description = '' }) => description, flexible: true, spare: 4 },
  ]);
}
