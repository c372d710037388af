import type { Task } from '../events/tasks.ts';

const CRITERIA = /^##\s+Acceptance criteria\s*$/im;
const BULLET = /^\s*(?:[-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?/;

type Written = Pick<Task, 'title' | 'description' | 'acceptance_criteria'>;

/** A task as a person edits it: title, description, acceptance criteria. */
export function taskDocument({ title, description, acceptance_criteria }: Written): string {
  return [
    `# ${title}`,
    ...(description ? ['', description] : []),
    '',
    '## Acceptance criteria',
    '',
    ...acceptance_criteria.map((text) => `- ${text}`),
    '',
  ].join('\n');
}

/** The task that such a document describes. What stands before the first heading is part of the description. */
export function readTaskDocument(document: string): Required<Written> {
  const lines = document.split('\n');
  const heading = lines.findIndex((line) => /^#\s/.test(line));
  const title = heading < 0 ? (lines[0] ?? '') : (lines[heading] ?? '').replace(/^#\s+/, '');
  const body = lines.filter((_, at) => at !== Math.max(heading, 0)).join('\n');
  const [description = '', criteria = ''] = splitAtLast(body, CRITERIA);
  return { title: title.trim(), description: description.trim(), acceptance_criteria: bulletsOf(criteria) };
}

function splitAtLast(text: string, heading: RegExp): [string, string] {
  const found = [...text.matchAll(new RegExp(heading, 'gim'))].at(-1);
  if (found === undefined) return [text, ''];
  return [text.slice(0, found.index), text.slice(found.index + found[0].length)];
}

/** A line that begins no bullet goes on with the one above. */
function bulletsOf(text: string): string[] {
  const bullets: string[] = [];
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    if (BULLET.test(line) || bullets.length === 0) bullets.push(line.replace(BULLET, '').trim());
    else bullets.push(`${bullets.pop()} ${line.trim()}`);
  }
  return bullets;
}
