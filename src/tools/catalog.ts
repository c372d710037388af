import { isScope, type Scope } from '../context.ts';
import { DomainError } from '../errors.ts';
import { admin } from './admin.ts';
import { agents } from './agents.ts';
import { alerts } from './alerts.ts';
import { artifacts } from './artifacts.ts';
import { checkpoints } from './checkpoints.ts';
import { decisions } from './decisions.ts';
import { events } from './events.ts';
import { history } from './history.ts';
import { presets } from './presets.ts';
import { projects } from './projects.ts';
import { search } from './search.ts';
import { sessions } from './sessions.ts';
import { tasks } from './tasks.ts';
import type { ScopeWords, Tool, Toolset } from './tool.ts';

export const TOOLSETS: readonly Toolset[] = [
  projects,
  checkpoints,
  tasks,
  artifacts,
  decisions,
  events,
  search,
  sessions,
  alerts,
  agents,
  presets,
  history,
  admin,
];

const SCOPE_WORDS = Object.freeze<ScopeWords>(Object.assign({}, ...TOOLSETS.map(({ scopes }) => scopes)));

/** The scopes that the toolsets declare, in display order. */
export const SCOPES = Object.freeze(Object.keys(SCOPE_WORDS).filter(isScope));

/** The words by which a person is asked to grant a scope. */
export function scopeWords(scope: Scope): string {
  return SCOPE_WORDS[scope] ?? scope;
}

/** The tools that an agent needs every day, in display order. */
export const DEFAULT_TOOLS: readonly string[] = [
  'resume_project',
  'list_projects',
  'create_project',
  'update_project',
  'create_tasks',
  'list_tasks',
  'get_task',
  'update_task',
  'claim_task',
  'extend_lock',
  'release_task',
  'complete_task',
  'add_artifact',
  'record_decision',
  'record_event',
  'save_checkpoint',
  'list_events',
  'wait_for_events',
  'search',
];

const ALL = TOOLSETS.flatMap(({ tools }) => tools);

/** Selects the tools of the named toolsets, including `default` and `all`; read-only wins over every name. */
export function selectTools(names: readonly string[], { readOnly = false } = {}): Tool[] {
  const selected = new Set(names.flatMap(toolsOf));
  const shown = [...DEFAULT_TOOLS, ...ALL.map(({ name }) => name)];
  return [...new Set(shown)]
    .map((name) => toolNamed(name))
    .filter((tool) => selected.has(tool.name) && (!readOnly || tool.effect === 'read'));
}

export function toolNamed(name: string): Tool {
  const tool = ALL.find((known) => known.name === name);
  if (tool === undefined) throw new DomainError('not_found', `There is no tool ${name.slice(0, 60)}.`);
  return tool;
}

function toolsOf(name: string): readonly string[] {
  if (name === 'default') return DEFAULT_TOOLS;
  const tools = name === 'all' ? ALL : TOOLSETS.find((known) => known.name === name)?.tools;
  if (tools !== undefined) return tools.map((tool) => tool.name);
  throw new DomainError('invalid_input', `There is no toolset ${name.slice(0, 60)}.`, {
    hint: `Toolsets: default, all, ${TOOLSETS.map((known) => known.name).join(', ')}.`,
    details: { field: 'toolsets' },
  });
}
