import { dirname, join } from 'node:path';
import * as z from 'zod';
import { readBounded } from './bounded-read.ts';
import { DomainError } from './errors.ts';
import { escaped, SLUG } from './text.ts';

/** Binds a repository to a project; committed with it, so that agents started there need no ids. */
export const PROJECT_FILE = '.cairn.json';
const BYTES_MAX = 65_536;

// The author of the repository wrote it: only a name is read from it.
const Binding = z.looseObject({ project: z.string().regex(SLUG).or(z.guid()) });

/** Finds the file that binds a directory: in it, or in the nearest directory above. */
export function findProjectFile(directory: string): { file: string; project: string } | undefined {
  const file = join(directory, PROJECT_FILE);
  const content = readIfThere(file);
  if (content !== null) return { file, project: parseBinding(file, content) };
  const above = dirname(directory);
  return above === directory ? undefined : findProjectFile(above);
}

function parseBinding(file: string, content: string): string {
  try {
    return Binding.parse(JSON.parse(content.replace(/^\uFEFF/, ''))).project;
  } catch (cause) {
    throw unnamed(file, cause);
  }
}

function readIfThere(file: string): string | null {
  try {
    return readBounded(file, BYTES_MAX);
  } catch (error) {
    if (error instanceof DomainError && error.code === 'payload_too_large') throw unnamed(file, error);
    // Not a file, or not readable: the next one above may bind.
    return null;
  }
}

function unnamed(file: string, cause: unknown): DomainError {
  return new DomainError('invalid_input', `The file ${escaped(file)} does not name a project.`, {
    hint: 'Write { "project": "slug" } into it, or remove it.',
    cause,
  });
}
