import * as z from 'zod';
import { jsonList, line, said, text } from '../text.ts';
import type { NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { newId } from './ids.ts';
import { ProjectRef } from './projects.ts';

const PRESET_TYPES = ['natural', 'investigate', 'review', 'plan', 'synthesize'] as const;

const VARIABLES_MAX = 32;

const Variable = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'must be 1 to 40 lower-case letters, digits and _'),
  description: text(500),
  default: text(4_000).optional().describe('Without it, each command has to give a value.'),
});

export const PresetChanged = z.object({
  description: text(2_000).optional(),
  content: said(16_000)
    .optional()
    .describe('Template: {{name}} stands for the value of a variable. A new one needs it.'),
  type: z.enum(PRESET_TYPES).optional().describe('Default of a new one: natural.'),
  target_agent_types: z
    .array(line(40))
    .max(20)
    .optional()
    .describe('Types of agents that it is for, like claude; none for all.'),
  variables: jsonList(Variable, 160_000).max(VARIABLES_MAX).optional().describe('All that content names.'),
});

export const PresetName = line(100);

/** @public */
export const presetEvents = () =>
  ({
    'preset.saved': {
      says: 'a command worth repeating, under a name',
      creates: true,
      data: PresetChanged.extend({ name: PresetName, content: said(16_000), project: ProjectRef.optional() }),
    },
    'preset.changed': { says: 'the named parts of it changed', data: PresetChanged },
    'preset.removed': { says: 'no command is made of it any more', data: z.object({}) },
  }) as const satisfies EventTypes;

export const Preset = z.object({
  id: z.string(),
  project: z.string().optional(),
  name: z.string(),
  description: z.string().optional(),
  content: z.string(),
  type: z.enum(PRESET_TYPES),
  target_agent_types: z.array(z.string()).optional(),
  variables: z.array(z.object({ name: z.string(), description: z.string(), default: z.string().optional() })),
  usage_count: z.int(),
  last_used_at: z.string().optional(),
  /** The agent whose words it has: a command of it is no order of a person. */
  words_of: z.string().optional(),
  /** The name of another person whose it is. */
  by: z.string().optional(),
  removed_at: z.string().optional(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Preset = z.infer<typeof Preset>;

type PresetData = z.infer<typeof PresetChanged>;

export function presetSaved(about: { name: string; project?: string | undefined }, data: PresetData): NewEvent<Preset> {
  return { stream: `preset:${newId()}`, type: 'preset.saved', data: { ...data, ...about }, state: Preset };
}

export function presetChanged(preset: string, data: PresetData): NewEvent<Preset> {
  return { stream: `preset:${preset}`, type: 'preset.changed', data, state: Preset };
}

export function presetRemoved(preset: string): NewEvent<Preset> {
  return { stream: `preset:${preset}`, type: 'preset.removed', data: {}, state: Preset };
}

const PLACEHOLDER = /\{\{ *([A-Za-z0-9_-]{1,80}) *\}\}/g;

/** The names in a template that are not among those declared; SQL has the same (`app.variable_pattern`). */
export function undeclared(content: string, declared: readonly string[]): string[] {
  return [...content.matchAll(PLACEHOLDER)].map(([, name = '']) => name).filter((name) => !declared.includes(name));
}
