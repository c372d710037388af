// npm run mutants: takes the mitigations of docs/security.md out of the code, one by one, and names those that no test misses.
//
//   npm run mutants              all of them
//   npm run mutants -- T4 T17    those of some threats
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, execPath, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { MUTANTS } from './mutants/all.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
const COPIED = ['src', 'test', 'supabase', 'package.json', 'tsconfig.json', 'vitest.config.ts'];
const AT_ONCE = 2;

const chosen = new Set(argv.slice(2));
const mutants = MUTANTS.filter(({ threat }) => chosen.size === 0 || chosen.has(threat));
const waiting = [...mutants];
const unnoticed = [];
const work = await mkdtemp(join(tmpdir(), 'cairn-mutants-'));
try {
  if (mutants.length === 0) throw new Error(`No mutant of ${[...chosen].join(', ')}.`);
  await Promise.all(Array.from({ length: AT_ONCE }, (_, number) => takeTurns(join(work, String(number)))));
} finally {
  await rm(work, { recursive: true, force: true });
}
stdout.write(`${mutants.length} mutants, ${unnoticed.length} unnoticed${unnoticed.length === 0 ? '.' : ':'}\n`);
for (const line of unnoticed) stdout.write(`  ${line}\n`);
process.exitCode = unnoticed.length === 0 ? 0 : 1;

/** Tries mutants in a copy of the tree until none is left. @param {string} tree */
async function takeTurns(tree) {
  await mkdir(tree);
  for (const name of COPIED) await cp(join(ROOT, name), join(tree, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'), 'junction');
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const started = Date.now();
    const verdict = await tried(tree, mutant).catch((error) => error.message);
    const seconds = ((Date.now() - started) / 1_000).toFixed(1);
    stdout.write(`${mutant.threat.padEnd(4)}${verdict ?? 'noticed'}  ${mutant.file}  ${seconds} s\n`);
    if (verdict !== undefined) unnoticed.push(`${mutant.threat} ${verdict}: ${mutant.file}: ${mutant.find}`);
  }
}

/** What is wrong, if anything: the test that the mutant names must pass without it and fail with it. */
async function tried(tree, { file, find, replace, test, name }) {
  const path = join(tree, file);
  const source = await readFile(path, 'utf8');
  if (source.split(find).length !== 2) return 'is not there exactly once';
  await writeFile(
    path,
    source.replace(find, () => replace),
  );
  try {
    const { failed, broken } = await outcome(tree, test, name);
    if (broken) return 'breaks the whole suite, which shows nothing';
    return failed > 0 ? undefined : 'SURVIVES';
  } finally {
    await writeFile(path, source);
  }
}

async function outcome(tree, test, name) {
  const report = join(tree, 'report.json');
  await rm(report, { force: true });
  const pattern = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const vitest = spawn(execPath, [VITEST, 'run', test, '-t', pattern, '--reporter=json', `--outputFile=${report}`], {
    cwd: tree,
    stdio: 'ignore',
  });
  await new Promise((resolve) => vitest.once('exit', resolve));
  const { numFailedTests: failed, testResults } = JSON.parse(await readFile(report, 'utf8'));
  return { failed, broken: testResults.some(({ message }) => message !== '') };
}
