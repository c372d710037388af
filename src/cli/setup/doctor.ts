import { findRepository } from '../../clients/detect.ts';
import { type Config, thisHost } from '../../config.ts';
import { VERSION } from '../../version.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { checkJobs } from './check-jobs.ts';
import { type Check, checkClients, checkDatabase, checkProject, checkRuntime } from './checks.ts';
import { CLI } from './demo-client.ts';

const MARKS: Readonly<Record<Check['status'], string>> = Object.freeze({
  ok: styled('green', '✓'),
  warning: styled('yellow', '!'),
  failed: styled('red', '✗'),
});

/** `cairn doctor`: prints each check, with its remedy where one fails; exit status 1 when something failed. */
export async function runDoctor(config: Config, options: JsonOption): Promise<void> {
  const host = thisHost();
  const repository = await findRepository(process.cwd(), host);
  const database = await checkDatabase(config);
  const reached = database.every(({ status }) => status !== 'failed');
  const checks = [
    checkRuntime(),
    ...database,
    ...(reached ? [await checkProject(config), ...(await checkJobs(config))] : []),
    ...(await checkClients(host, repository)),
  ];
  const ok = checks.every(({ status }) => status !== 'failed');
  if (!ok) process.exitCode = 1;
  printResult({ ok, version: VERSION, program: CLI, checks }, options, () => [
    `${styled('bold', `Cairn ${VERSION}`)} ${styled('dim', CLI)}`,
    '',
    ...checks.flatMap((check) => linesOf(check, Math.max(...checks.map(({ name }) => name.length)))),
    '',
    summary(checks),
  ]);
}

function linesOf({ name, status, detail, remedy }: Check, width: number): string[] {
  const line = `${MARKS[status]} ${name.padEnd(width)}  ${detail}`;
  return remedy === undefined ? [line] : [line, `${' '.repeat(width + 4)}${styled('dim', `→ ${remedy}`)}`];
}

function summary(checks: Check[]): string {
  const count = (status: Check['status']) => checks.filter((check) => check.status === status).length;
  if (count('failed') > 0) return styled('red', `${count('failed')} of ${checks.length} failed.`);
  const warnings = count('warning');
  return warnings === 0 ? styled('green', 'All is well.') : `It works; ${warnings} to look at.`;
}
