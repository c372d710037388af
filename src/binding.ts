import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { DomainError } from './errors.ts';

/** Binds a repository to a project; committed with it, so that agents started there need no ids. */
const BINDING_FILE = '.cairn.json';

const Binding = z.looseObject({ project: z.string().min(1).max(100) });

/** What binds a directory: the file in it, or in the nearest directory above it that has one. */
export function findBinding(directory: string): { file: string; project: string } | undefined {
  const file = join(directory, BINDING_FILE);
  const content = readIfThere(file);
  if (content !== undefined) return { file, project: parseBinding(file, content) };
  const above = dirname(directory);
  return above === directory ? undefined : findBinding(above);
}

function parseBinding(file: string, content: string): string {
  try {
    return Binding.parse(JSON.parse(content.replace(/^\uFEFF/, ''))).project;
  } catch (cause) {
    throw new DomainError('invalid_input', `The file ${file} does not name a project.`, {
      hint: 'Write { "project": "slug" } into it, or remove it.',
      cause,
    });
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Not there, or not ours to read: the next one above may bind.
    return undefined;
  }
}
