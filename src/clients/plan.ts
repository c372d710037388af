import { realPathOf } from '../atomic-write.ts';
import { readBounded } from '../bounded-read.ts';
import type { Host } from '../config.ts';
import { DomainError } from '../errors.ts';
import { type Client, pathOf } from './catalog.ts';
import { FILE_BYTES_MAX, type PlannedEdit, planEdit, type Skip } from './changes.ts';
import type { Edit } from './edits.ts';
import { hookEdits } from './hooks.ts';
import { instructions } from './instructions.ts';
import type { Wanted } from './wanted.ts';

/** Plans every wanted edit that is still missing, in reading order. */
export async function planInit(wanted: Wanted, host: Host, skip?: Skip): Promise<PlannedEdit[]> {
  const edits: [file: string, edit: Edit][] = wanted.clients.map((client) => serverEdit(client, wanted, host));
  if (wanted.hooks) edits.push(...hookEdits(wanted, host));
  const { repository, project } = wanted;
  if (repository !== null && project !== undefined) {
    const { join } = pathOf(host);
    edits.push([join(repository, '.cairn.json'), { kind: 'json', path: ['project'], value: project }]);
    if (wanted.instructions) {
      const block: Edit = { kind: 'block', text: instructions(project) };
      for (const name of await instructionFiles(wanted.clients, repository))
        edits.push([join(repository, name), block]);
    }
  }
  const planned: PlannedEdit[] = [];
  for (const [file, edit] of oneEach(edits)) {
    const change = await planEdit(file, edit, skip);
    if (change !== null) planned.push(change);
  }
  return planned;
}

/** Joins the edits of a file: it is read and written once. */
function oneEach(edits: readonly [file: string, edit: Edit][]): Map<string, Edit> {
  const files = new Map<string, Edit>();
  for (const [file, edit] of edits) {
    const other = files.get(file);
    files.set(file, other === undefined ? edit : { kind: 'several', edits: [other, edit] });
  }
  return files;
}

/** Returns the file for a client's server: in the repository, if wanted and the client looks there. */
export function serverFile(
  client: Client,
  { scope, repository }: Pick<Wanted, 'scope' | 'repository'>,
  host: Host,
): string {
  const { projectFile } = client;
  const inRepository = scope === 'project' && repository !== null && projectFile !== undefined;
  return inRepository ? pathOf(host).join(repository, projectFile) : client.userFile(host);
}

function serverEdit(client: Client, wanted: Wanted, host: Host): [file: string, edit: Edit] {
  const file = serverFile(client, wanted, host);
  const shared = file !== client.userFile(host);
  const value = client.entry(wanted.server(shared), shared ? wanted.project : undefined);
  return [
    file,
    client.format === 'toml'
      ? { kind: 'toml', table: [client.key, 'cairn'], value }
      : { kind: 'json', path: [client.key, 'cairn'], value },
  ];
}

/** Names the instruction files of these clients: Claude Code's own, unless it leads to the common one. */
async function instructionFiles(clients: readonly Client[], repository: string): Promise<string[]> {
  const [common, own] = await Promise.all(['AGENTS.md', 'CLAUDE.md'].map((name) => look(`${repository}/${name}`)));
  const claude = clients.some(({ id }) => id === 'claude-code');
  const others = clients.some(({ id }) => !id.startsWith('claude'));
  const leads =
    own !== null && common !== null && (own?.path === common?.path || /^@(\.\/)?AGENTS\.md\s*$/m.test(own?.text ?? ''));
  const files = [];
  if (others || common !== null) files.push('AGENTS.md');
  if (claude && !leads) files.push('CLAUDE.md');
  return files;
}

async function look(file: string): Promise<{ path: string; text: string } | null> {
  try {
    const text = readBounded(file, FILE_BYTES_MAX);
    return text === null ? null : { path: await realPathOf(file), text };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    // An unreadable file may need a change or not; if so, planning refuses then.
    return null;
  }
}
