import { type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { thisHost } from '../../config.ts';
import { DomainError, domainErrorFrom } from '../../errors.ts';
import { escaped } from '../../text.ts';

// The line with which Git ends a message: nobody writes it by chance.
const SCISSORS = '# ------------------------ >8 ------------------------';

/**
 * Lets a person write a text in their editor and hands it to `use`. Drops the explanation below a marker line. If `use`
 * fails, the file stays, and the error names it.
 */
export async function writeInEditor<T>(
  text: string,
  explanation: string,
  use: (written: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-'));
  const file = join(directory, 'text.md');
  const given = `${text}\n\n${SCISSORS}\n${explanation}\n`;
  let written = given;
  try {
    await writeFile(file, given, { mode: 0o600 });
    const ended = await edit(file);
    written = await readFile(file, 'utf8').catch(() => {
      throw new DomainError('invalid_input', 'The editor left no text: nothing was changed.');
    });
    if (ended !== undefined) throw ended;
    const used = await use(textIn(written));
    await rm(directory, { recursive: true, force: true });
    return used;
  } catch (error) {
    if (textIn(written) !== textIn(given)) throw withFile(error, file);
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

function textIn(written: string): string {
  return (written.replace(/\r\n/g, '\n').split(`\n${SCISSORS}`)[0] ?? '').trim();
}

function withFile(error: unknown, file: string): DomainError {
  const { code, message, hint, details, retryable, cause } = domainErrorFrom(error);
  const kept = `What you wrote is in ${escaped(file)}.`;
  return new DomainError(code, message, {
    hint: hint === null ? kept : `${hint}\n${kept}`,
    details: details ?? undefined,
    retryable,
    cause,
  });
}

/**
 * Runs the editor and returns its failure. An editor may be named with arguments (`code --wait`): a shell parses it, as
 * for Git, and gets the file as one word.
 */
async function edit(file: string): Promise<DomainError | undefined> {
  const { env, platform } = thisHost();
  const onWindows = platform === 'win32';
  const editor = env['GIT_EDITOR'] || env['VISUAL'] || env['EDITOR'] || (onWindows ? 'notepad' : 'vi');
  // If a program reads the answer, the editor writes to standard error.
  const stdio: StdioOptions = ['inherit', process.stdout.isTTY ? 'inherit' : 2, 'inherit'];
  const child = onWindows
    ? spawn(`${editor} "${file}"`, { shell: true, stdio })
    : spawn('sh', ['-c', `${editor} "$@"`, 'sh', file], { stdio });
  const [code] = await once(child, 'close');
  if (code === 0) return undefined;
  return new DomainError('invalid_input', `The editor ${escaped(editor)} ended with ${code}: nothing was changed.`, {
    hint: 'VISUAL or EDITOR names another one; or give the text with an option.',
  });
}
