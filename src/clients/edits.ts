import { DomainError, messageOf } from '../errors.ts';
import { escaped } from '../text.ts';
import { removeBlock, setBlock } from './block.ts';
import { readJson, removeHooks, removeJson, setHooks, setJson } from './json.ts';
import { removeTable, setTable } from './toml.ts';

/** A change to a file that others write too: its content, so that it can be repeated and undone. */
export type Edit =
  | { kind: 'json'; path: string[]; value: unknown }
  | { kind: 'toml'; table: [string, string]; value: Record<string, unknown> }
  | Hooks
  | { kind: 'block'; text: string }
  | { kind: 'several'; edits: readonly Edit[] };

/** Notes of earlier programs, which had hooks for Claude Code alone, have `commands` and no more. */
type Hooks = {
  kind: 'hooks';
  client?: string;
  entries?: Record<string, object>;
  version?: number;
  commands?: Record<string, string>;
};

const BOM = '\uFEFF';

/** Returns the changed content, the rest kept down to the comment. Null is a missing file. */
export function applyEdit(edit: Edit, content: string | null, file: string): string {
  if (edit.kind === 'several') {
    return edit.edits.reduce<string>((text, one) => applyEdit(one, text, file), content ?? '');
  }
  return changed(content ?? '', file, (text) => {
    if (edit.kind === 'json') return setJson(text, edit.path, edit.value);
    if (edit.kind === 'toml') return setTable(text, edit.table, edit.value);
    if (edit.kind === 'block') return setBlock(text, edit.text);
    const isMissing = edit.version !== undefined && readJson(text)['version'] === undefined;
    return setHooks(isMissing ? setJson(text, ['version'], edit.version) : text, edit.entries ?? {});
  });
}

/** Returns the content without the change, however else it has changed since. */
export function revertEdit(edit: Edit, content: string, file: string): string {
  if (edit.kind === 'several') return edit.edits.reduce((text, one) => revertEdit(one, text, file), content);
  return changed(content, file, (text) => {
    if (edit.kind === 'json') return removeJson(text, edit.path);
    if (edit.kind === 'toml') return removeTable(text, edit.table);
    return edit.kind === 'hooks'
      ? removeHooks(text, Object.keys(edit.entries ?? edit.commands ?? {}))
      : removeBlock(text);
  });
}

function changed(content: string, file: string, change: (text: string) => string): string {
  const bom = content.startsWith(BOM) ? BOM : '';
  try {
    return bom + change(content.slice(bom.length));
  } catch (cause) {
    throw new DomainError(
      'invalid_input',
      `The file ${escaped(file)} cannot be changed safely: ${escaped(messageOf(cause))}.`,
      {
        hint: 'Repair it, or leave its client out with --client.',
        cause,
      },
    );
  }
}
