import { readBounded, unusableFile } from '../../bounded-read.ts';
import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import type { Preset } from '../../events/presets.ts';
import { presets as presetTools } from '../../tools/presets.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { readInputText } from '../move/import-source.ts';
import { readPages } from '../pagination.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';

const SHOWN_MAX = 1_000;
const FILE_BYTES_MAX = 1_048_576;

export type ListOptions = JsonOption & { project?: string | undefined };
export type RemoveOptions = JsonOption;
export type ExportOptions = JsonOption;
export type SavePresetOptions = JsonOption & {
  project?: string | undefined;
  content?: string;
  file?: string;
  type?: Preset['type'];
  for?: string[];
  var?: string[];
  description?: string;
};

/** `cairn presets`: those of the workspace. */
export async function runPresets(config: Config, options: ListOptions): Promise<void> {
  const found = await inLocalContext(config, (ctx) => readPresets(ctx, options.project));
  printResult({ presets: found }, options, () =>
    found.length === 0 ? ['No presets. `cairn presets save NAME --content "…"` keeps one.'] : presetTable(found),
  );
}

/** `cairn presets show NAME`. */
export async function runShow(config: Config, name: string, options: JsonOption): Promise<void> {
  const found = await inLocalContext(config, (ctx) => findPreset(ctx, name));
  if (found === undefined) {
    throw new DomainError('not_found', `There is no preset ${name.slice(0, 100)}.`, {
      hint: '`cairn presets` shows their names.',
    });
  }
  printResult(found, options, presetLines);
}

/** `cairn presets save NAME`. */
export async function runSave(config: Config, name: string, options: SavePresetOptions): Promise<void> {
  const { project, type, for: types, var: variables, description } = options;
  const content = await contentOf(options);
  const saved = await inLocalContext(config, async (ctx) =>
    perform(ctx, presetTools.commands.save_preset, {
      name,
      project,
      content,
      type,
      target_agent_types: types,
      description,
      variables: variables && declared(variables, await findPreset(ctx, name)),
    }),
  );
  printResult(saved, options, () => [`The preset ${saved.name} is saved.`]);
}

/** `cairn presets remove NAME`. */
export async function runRemove(config: Config, preset: string, options: JsonOption): Promise<void> {
  const removed = await inLocalContext(config, (ctx) => perform(ctx, presetTools.commands.remove_preset, { preset }));
  printResult(removed, options, () => [`The preset ${removed.name} is removed.`]);
}

export async function readPresets(ctx: Context, project?: string): Promise<Preset[]> {
  const { items } = await readPages(
    SHOWN_MAX,
    (page) => perform(ctx, presetTools.commands.list_presets, { ...page, project }),
    ({ presets }) => presets,
  );
  return items;
}

async function findPreset(ctx: Context, preset: string): Promise<Preset | undefined> {
  const { presets } = await perform(ctx, presetTools.commands.list_presets, { preset });
  return presets[0];
}

async function contentOf({ content, file }: SavePresetOptions): Promise<string | undefined> {
  if (file === undefined) return content;
  if (content !== undefined) throw mistyped('Both --content and --file are given.', 'Give one of them.');
  const text = file === '-' ? await readInputText() : readBounded(file, FILE_BYTES_MAX);
  if (text === null) throw unusableFile(file, 'ENOENT');
  return text.trimEnd();
}

/** Makes variables of `name` and `name=default`; one that is known keeps its description. */
function declared(given: readonly string[], known: Preset | undefined): object[] {
  return given.map((variable) => {
    const [, name = '', , value] = /^([^=]*)(=(.*))?$/s.exec(variable) ?? [];
    const description = known?.variables.find((one) => one.name === name)?.description ?? '';
    return { name, description, ...(value !== undefined && { default: value }) };
  });
}

function presetTable(presets: readonly Preset[]): string[] {
  return table(presets, [
    { heading: 'PRESET', text: ({ name }) => name, style: (text) => styled('bold', text) },
    { heading: 'TYPE', text: ({ type }) => type },
    { heading: 'FOR', text: ({ target_agent_types: types = [] }) => types.join(', '), spare: 2 },
    {
      heading: 'VARIABLES',
      text: ({ variables }) => variables.map(({ name }) => name).join(', '),
      flexible: true,
      spare: 3,
    },
    { heading: 'COMMAND', text: ({ description, content }) => description ?? content.slice(0, 200), flexible: true },
    { heading: 'USED', text: ({ usage_count: count }) => (count > 0 ? String(count) : ''), spare: 4 },
    { heading: 'LAST', text: ({ last_used_at: at }) => (at === undefined ? '' : fromNow(at)), spare: 1 },
    { heading: 'OF', text: ({ by = '' }) => by, style: (text) => styled('dim', text), spare: 5 },
  ]);
}

function presetLines(preset: Preset): string[] {
  const { name, type, target_agent_types: types, by, words_of, description, content, variables, usage_count } = preset;
  const about = [
    type,
    types && `for ${types.join(', ')}`,
    by && `of ${by}`,
    words_of && `in words of the agent ${words_of}`,
    usage_count > 0 && `used ${usage_count}`,
  ];
  return [
    `${styled('bold', name)}  ${about.filter(Boolean).join(', ')}`,
    ...(description === undefined ? [] : [description]),
    '',
    content,
    ...(variables.length === 0 ? [] : ['', ...variables.map(variableLine)]),
  ];
}

function variableLine({ name, description, default: value }: Preset['variables'][number]): string {
  const told = [description, value === undefined ? 'needed' : `default: ${value}`].filter((part) => part !== '');
  return `${styled('cyan', `{{${name}}}`)}  ${told.join(', ')}`;
}
