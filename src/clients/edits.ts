import { DomainError, messageOf } from '../errors.ts';
import { escaped } from '../text.ts';
import { removeBlock, setBlock } from './block.ts';
import { removeHooks, removeJson, setHooks, setJson } from './json.ts';
import { removeTable, setTable } from './toml.ts';

/** A change to a file that others write too: its content, so that it can be repeated and undone. */
export type Edit =
  | { kind: 'json'; path: string[]; value: unknown }
  | { kind: 'toml'; table: [string, string]; value: Record<string, unknown> }
  | { kind: 'hooks'; commands: Record<string, string> }
  | { kind: 'block'; text: string };

const BOM = '\uFEFF';

/** Returns the changed content, the rest kept down to the comment. Null is a missing file. */
export function applyEdit(edit: Edit, content: string | null, file: string): string {
  return changed(content ?? '', file, (text) => {
    if (edit.kind === 'json') return setJson(text, edit.path, edit.value);
    if (edit.kind === 'toml') return setTable(text, edit.table, edit.value);
    return edit.kind === 'hooks' ? setHooks(text, edit.commands) : setBlock(text, edit.text);
  });
}

/** Returns the content without the change, however else it has changed since. */
export function revertEdit(edit: Edit, content: string, file: string): string {
  return changed(content, file, (text) => {
    if (edit.kind === 'json') return removeJson(text, edit.path);
    if (edit.kind === 'toml') return removeTable(text, edit.table);
    return edit.kind === 'hooks' ? removeHooks(text, Object.keys(edit.commands)) : removeBlock(text);
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
