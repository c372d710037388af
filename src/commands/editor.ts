import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { thisHost } from '../config.ts';
import { DomainError } from '../errors.ts';

const EXPLANATION = /^<!--[\s\S]*?-->\n*/;

/** Lets a person write a text in their editor; an explanation at its beginning is taken out again. Raises invalid_input. */
export async function writeInEditor(text: string, explanation: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-'));
  const file = join(directory, 'text.md');
  try {
    await writeFile(file, `<!-- ${explanation} -->\n\n${text}`, { mode: 0o600 });
    await edit(file);
    return (await readFile(file, 'utf8')).replace(/\r\n/g, '\n').replace(EXPLANATION, '').trim();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** An editor may be named with arguments (`code --wait`), as Git takes it: a shell takes it apart. */
async function edit(file: string): Promise<void> {
  const { env, platform } = thisHost();
  const editor = env['VISUAL'] || env['EDITOR'] || (platform === 'win32' ? 'notepad' : 'vi');
  const child = spawn(`${editor} "${file}"`, { shell: true, stdio: 'inherit' });
  const [code] = await once(child, 'close');
  if (code === 0) return;
  throw new DomainError('invalid_input', `The editor ${editor} ended with ${code}: nothing was changed.`, {
    hint: 'VISUAL or EDITOR names another one; or give the text with an option.',
  });
}
