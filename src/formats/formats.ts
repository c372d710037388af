import { escaped } from '../text.ts';
import { isBacklog, readBacklog } from './backlog.ts';
import { readBeads } from './beads.ts';
import { readTasks } from './cairn-tasks.ts';
import { isChecklist, readChecklist } from './checklist.ts';
import type { ForeignTask } from './foreign-task.ts';
import { type SourceFile, type Warn, wrongFile } from './foreign-task.ts';
import { readGitHub } from './github.ts';
import { readTaskMaster } from './task-master.ts';

/** The formats that can be imported, under their names for `--from`. */
export const FORMATS = Object.freeze({
  'task-master': { label: 'Task Master', read: each(readTaskMaster) },
  beads: { label: 'Beads', read: each(readBeads) },
  backlog: { label: 'Backlog.md', read: readBacklog },
  github: { label: 'GitHub issues', read: each(readGitHub) },
  markdown: { label: 'a markdown checklist', read: each(readChecklist) },
  cairn: { label: 'Cairn', read: each(readTasks) },
} satisfies Record<string, { label: string; read: Read }>);

export type FormatName = keyof typeof FORMATS;

type Read = (files: SourceFile[], warn: Warn) => ForeignTask[];

function each(read: (file: SourceFile, warn: Warn) => ForeignTask[]): Read {
  return (files, warn) => files.flatMap((file) => read(file, warn));
}

/**
 * Reads the tasks of a source, with warnings of data outside of any task. Raises `invalid_input` if nothing can be
 * read.
 */
export function readForeign(format: FormatName, files: SourceFile[]): { tasks: ForeignTask[]; warnings: string[] } {
  const warnings: string[] = [];
  const tasks = FORMATS[format].read(files, (text) => {
    warnings.push(escaped(text));
  });
  const [first] = warnings;
  if (tasks.length === 0 && first !== undefined) throw wrongFile(first);
  return { tasks, warnings };
}

/** Detects the format of a file by its start. Raises `invalid_input` if it is none of ours. */
export function detectFormat(file: SourceFile): FormatName {
  const text = file.text.trimStart().slice(0, 100_000);
  if (text.startsWith('[') && !/^\[[^\]]?\]\s/.test(text)) return detectArray(text);
  if (text.startsWith('{')) return detectJson(file, text);
  if (isBacklog(file)) return 'backlog';
  if (isChecklist(file)) return 'markdown';
  // A file that git could not merge begins with git's marker.
  if (/^<{7} /.test(text) && text.split('\n').some(isIssue)) return 'beads';
  throw unknown(file);
}

/** Detects an array's format: GitHub's issues have a `state`; another reader knows the rest, which has a `status`. */
function detectArray(text: string): FormatName {
  if (/"issue_type"\s*:/.test(text)) return 'beads';
  return /"status"\s*:/.test(text) && !/"(?:state|number)"\s*:/.test(text) ? 'task-master' : 'github';
}

/** Detects the format by field names, without parsing: a file may be one line of the maximum length. */
function detectJson(file: SourceFile, text: string): FormatName {
  if (isIssue(text)) return 'beads';
  if (/"format"\s*:\s*"cairn-tasks"/.test(text.slice(0, 500))) return 'cairn';
  if (/"(?:sub)?tasks"\s*:\s*\[|"testStrategy"\s*:/.test(text)) return 'task-master';
  const [line = ''] = text.split('\n', 1);
  if (/"id"\s*:/.test(line) && /"title"\s*:/.test(line)) return 'beads';
  throw unknown(file);
}

/** Tells whether a line is an issue: it begins with its kind or its id. */
function isIssue(line: string): boolean {
  return /^\{ ?"(?:_type|id)" ?:/.test(line);
}

function unknown({ path }: SourceFile) {
  return wrongFile(`${path} is none of: ${Object.keys(FORMATS).join(', ')}.`);
}
