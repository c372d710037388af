import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { writeInEditor } from '../../src/cli/terminal/editor.ts';
import { DomainError } from '../../src/errors.ts';

let home: string;
let editor: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn editor $HOME `x` '));
  editor = join(home, 'editor.mjs');
  await writeFile(
    editor,
    `import { readFileSync, writeFileSync } from 'node:fs';
     const [, , text, file] = process.argv;
     writeFileSync(file, text + readFileSync(file, 'utf8'));`,
  );
  await chmod(home, 0o755);
});
afterAll(() => rm(home, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

/** Writes this in front, in a directory whose name a shell would read otherwise. */
function writes(text: string): void {
  vi.stubEnv('TMPDIR', home);
  vi.stubEnv('GIT_EDITOR', `"${process.execPath}" '${editor}' "${text}"`);
}

const left = async () => (await readdir(home)).filter((name) => name !== 'editor.mjs');

describe.skipIf(process.platform === 'win32')('an editor', () => {
  test.each(['-->', '--->', '---->', '# >8', '<!-- x -->'])(
    'shows an explanation with %s, of which nothing is taken for what was written',
    async (mark) => {
      writes('');

      expect(await writeInEditor('Text', `Move A ${mark} B?\n\nOr C?`, async (written) => written)).toBe('Text');
      expect(await left()).toEqual([]);
    },
  );

  test('hands over what was written, and leaves nothing behind', async () => {
    writes('Hello ');

    expect(await writeInEditor('world', 'Say something.', async (written) => written)).toBe('Hello world');
    expect(await left()).toEqual([]);
  });

  test('keeps what was written where it could not be used, and says where', async () => {
    writes('Ten minutes of ');
    const refused = new DomainError('version_conflict', 'It changed.', { hint: 'Read it again.' });

    const error = await writeInEditor('work', 'Change it.', () => Promise.reject(refused)).catch((thrown) => thrown);

    const [, file = ''] = /^Read it again\.\nWhat you wrote is in (.*)\.$/.exec(error.hint) ?? [];
    expect(error).toMatchObject({ code: 'version_conflict', retryable: true });
    expect(await readFile(file, 'utf8')).toMatch(/^Ten minutes of work\n/);
  });

  test('that leaves no file changes nothing', async () => {
    vi.stubEnv('TMPDIR', home);
    vi.stubEnv('GIT_EDITOR', 'rm -f');

    await expect(writeInEditor('x', 'y', async () => 'used')).rejects.toMatchObject({
      code: 'invalid_input',
      message: 'The editor left no text: nothing was changed.',
    });
  });

  test('that fails changes nothing', async () => {
    vi.stubEnv('GIT_EDITOR', 'false');
    const use = vi.fn();

    await expect(writeInEditor('x', 'y', use)).rejects.toMatchObject({ code: 'invalid_input' });
    expect(use).not.toHaveBeenCalled();
  });
});
