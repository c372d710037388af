import * as z from 'zod';
import { writeOutput } from '../../atomic-write.ts';
import { readBounded, unusableFile } from '../../bounded-read.ts';
import type { Config } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { type Preset, PresetChanged, PresetName, undeclared } from '../../events/presets.ts';
import { pathName } from '../../text.ts';
import { inputSentences } from '../../tools/input-error.ts';
import { presets as presetTools } from '../../tools/presets.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { readInputText } from '../move/import-source.ts';
import { type JsonOption, printResult, wrote } from '../terminal/output.ts';
import { readPresets } from './presets.ts';

const PRESETS_MAX = 1_000;
const FILE_BYTES_MAX = 67_108_864;

const Given = z.strictObject({
  name: PresetName,
  ...PresetChanged.required({ content: true }).shape,
});
type Given = z.infer<typeof Given>;

const PresetsFile = z.strictObject({ presets: z.array(Given).max(PRESETS_MAX) }).superRefine(({ presets }, faults) => {
  const names = new Set<string>();
  for (const [at, { name, content, variables = [] }] of presets.entries()) {
    const fault = (field: string, message: string) =>
      faults.addIssue({ code: 'custom', path: ['presets', at, field], message });
    if (names.has(keyOf(name))) fault('name', 'must be there once');
    names.add(keyOf(name));
    const declared = variables.map((variable) => variable.name);
    if (new Set(declared).size < declared.length) fault('variables', 'must have each name once');
    const [unknown] = undeclared(content, declared);
    if (unknown !== undefined) fault('content', `must not have {{${unknown}}}, which is not among its variables`);
  }
});

/** `cairn presets export`: of each name the preset that it means, so that an import finds each once. */
export async function runExport(config: Config, file: string | undefined, options: JsonOption): Promise<void> {
  const all = await inLocalContext(config, (ctx) => readPresets(ctx));
  const presets = [...byName(all).values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map(contentsOf);
  const text = `${JSON.stringify({ presets }, null, 2)}\n`;
  if (file === undefined) return void process.stdout.write(text);
  await writeOutput(file, text).catch((error) => {
    throw unusableFile(file, error);
  });
  wrote({ file, presets: presets.length }, options, `Exported to ${file}.`);
}

/** `cairn presets import FILE`: all of it is checked before the first one is saved. */
export async function runImport(config: Config, file: string, options: JsonOption): Promise<void> {
  const { presets } = parseFile(file === '-' ? await readInputText() : readFile(file), file);
  const done = await inLocalContext(config, async (ctx) => {
    const known = byName(await readPresets(ctx));
    const names: { new: string[]; changed: string[]; unchanged: string[] } = { new: [], changed: [], unchanged: [] };
    for (const given of presets) {
      const before = known.get(keyOf(given.name));
      // Whoever imports the words of an agent makes them their own.
      const isOwn = before?.words_of === undefined || typeof ctx.actor.agent === 'string';
      if (before !== undefined && isOwn && isSame(given, before)) {
        names.unchanged.push(given.name);
        continue;
      }
      const { id, name } = await perform(ctx, presetTools.commands.save_preset, { ...EMPTY, ...given });
      names[id === before?.id ? 'changed' : 'new'].push(name);
    }
    return names;
  });
  printResult(done, options, () => [
    `${done.new.length} new, ${done.changed.length} changed, ${done.unchanged.length} unchanged.`,
  ]);
}

// What a file does not say of a preset, it has not.
const EMPTY = { description: '', type: 'natural', target_agent_types: [], variables: [] } as const;

function readFile(file: string): string {
  const text = readBounded(file, FILE_BYTES_MAX);
  if (text === null) throw unusableFile(file, 'ENOENT');
  return text;
}

function parseFile(text: string, file: string): z.output<typeof PresetsFile> {
  const given = parseJson(text, file);
  const parsed = PresetsFile.safeParse(given);
  if (parsed.success) return parsed.data;
  throw refused(inputSentences(parsed.error, given, (path) => pathName(path) || 'The file'));
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw refused(`${file} is not JSON: ${error instanceof Error ? error.message : error}.`);
  }
}

function refused(message: string): DomainError {
  return new DomainError('invalid_input', message, {
    hint: 'Nothing was imported. Correct the file: {"presets": […]}, as `cairn presets export` writes it.',
  });
}

/** What a name means: the caller's own preset, then that which was there first. */
function byName(presets: readonly Preset[]): Map<string, Preset> {
  const meant = new Map<string, Preset>();
  const inOrder = [...presets].sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
  for (const preset of [...inOrder.filter(({ by }) => by === undefined), ...inOrder]) {
    if (!meant.has(keyOf(preset.name))) meant.set(keyOf(preset.name), preset);
  }
  return meant;
}

function keyOf(name: string): string {
  return name.toLowerCase();
}

/** The part of a preset that is written to a file. */
function contentsOf({ name, description, content, type, target_agent_types, variables }: Preset): Given {
  return { name, description, content, type, target_agent_types, variables };
}

function isSame(given: Given, known: Preset): boolean {
  return JSON.stringify(whole(given)) === JSON.stringify(whole(contentsOf(known)));
}

/** A preset's contents in one order, with everything that it has not. */
function whole({ description, content, type, target_agent_types, variables }: Given): unknown[] {
  const { description: none, type: usual, target_agent_types: all, variables: no } = EMPTY;
  return [
    description ?? none,
    content,
    type ?? usual,
    target_agent_types ?? all,
    (variables ?? no).map((variable) => [variable.name, variable.description, variable.default]),
  ];
}
