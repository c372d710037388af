import type { Workspace } from '../../auth/answers.ts';
import { type Html, html, name } from '../html.ts';

/** Links between a person's own page and the workspaces they administer. `current` is `account` or a workspace's id. */
export function navigation(current: string, workspaces: readonly Workspace[]): Html | false {
  const administered = workspaces.filter(administers);
  return (
    administered.length > 0 &&
    html`<nav aria-label="Pages"><a href="/account"${current === 'account' && html` aria-current="page"`}>Your connections</a>
${administered.map(
  (workspace) =>
    html`<a href="/admin?workspace=${workspace.tenant_id}"${current === workspace.tenant_id && html` aria-current="page"`}>${name(workspace.name)}</a>`,
)}</nav>`
  );
}

export function administers({ role }: Workspace): boolean {
  return role === 'owner' || role === 'admin';
}
