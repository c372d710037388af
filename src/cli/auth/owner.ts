import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { createLoginLink, setPassword } from '../../auth/login/owner.ts';
import { authStore } from '../../auth/store.ts';
import type { Config } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { inLocalContext } from '../local-context.ts';
import { servedAddress } from '../serve/served-address.ts';
import { type JsonOption, printResult } from '../terminal/output.ts';

/** `cairn auth owner set-password`. */
export async function runSetPassword(config: Config, options: JsonOption): Promise<void> {
  const password = await typed('New password: ');
  if (process.stdin.isTTY && (await typed('The same again: ')) !== password) {
    throw new DomainError('invalid_input', 'The two passwords differ.', { hint: 'Run the command again.' });
  }
  await inLocalContext(config, ({ db, actor }) => setPassword(authStore(db), actor, password));
  printResult({ set: true }, options, () => ['The password is set. Every browser was signed out.']);
}

/** `cairn auth owner login-link`. */
export async function runLoginLink(config: Config, options: JsonOption): Promise<void> {
  const link = await inLocalContext(config, async ({ db, actor }) =>
    createLoginLink(authStore(db), actor, await servedAddress(config, db)),
  );
  printResult({ link: link.href }, options, () => [link.href]);
}

/** Reads a line without showing it; from a pipe, its first line. */
async function typed(question: string): Promise<string> {
  const { stdin, stderr } = process;
  if (stdin.isTTY) stderr.write(question);
  // On a terminal the interface echoes the input: into nothing.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output, terminal: stdin.isTTY });
  try {
    return await new Promise((resolve, reject) => {
      lines.once('line', resolve).once('SIGINT', () => reject(new Error('Nothing was changed.')));
      lines.once('close', () => resolve(''));
    });
  } finally {
    lines.close();
    if (stdin.isTTY) stderr.write('\n');
  }
}
