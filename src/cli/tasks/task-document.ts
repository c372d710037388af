import type { Task } from '../../events/task-forms.ts';
import { listItem } from '../../formats/lines.ts';

const TITLE = /^#\s+/;
const CRITERIA = /^##\s+Acceptance criteria\s*$/gim;

type Written = Pick<Task, 'title' | 'description' | 'acceptance_criteria'>;

/** Writes a task as a document to edit: title, description, acceptance criteria. */
export function taskDocument({ title, description, acceptance_criteria }: Written): string {
  return [
    `# ${title}`,
    ...(description ? ['', description] : []),
    '',
    '## Acceptance criteria',
    '',
    ...acceptance_criteria.map((text) => `- ${text}`),
  ].join('\n');
}

/** Reads such a document: the first line is the title, the list below the last such heading the criteria. */
export function readTaskDocument(document: string): Required<Written> {
  const [first = '', ...rest] = document.trim().split('\n');
  const body = rest.join('\n');
  const heading = [...body.matchAll(CRITERIA)].at(-1);
  const end = heading?.index ?? body.length;
  return {
    title: first.replace(TITLE, '').trim(),
    description: body.slice(0, end).trim(),
    acceptance_criteria: bulletsOf(body.slice(end + (heading?.[0].length ?? 0))),
  };
}

/** Reads bullets; a line that begins none continues the one above. */
function bulletsOf(text: string): string[] {
  const bullets: string[] = [];
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const item = listItem(line);
    if (item !== undefined || bullets.length === 0) bullets.push((item ?? line).trim());
    else bullets.push(`${bullets.pop()} ${line.trim()}`);
  }
  return bullets;
}
