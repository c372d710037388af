import { execFile } from 'node:child_process';
import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { writeAtomically } from '../../atomic-write.ts';
import { type Config, thisHost } from '../../config.ts';
import { DomainError, messageOf } from '../../errors.ts';
import { cleanLine, escaped } from '../../text.ts';
import { mistyped } from '../mistyped.ts';
import { CLI } from '../setup/demo-client.ts';
import { askConfirmation } from '../setup/init-questions.ts';
import { canAsk } from '../terminal/ask.ts';
import { type JsonOption, printLine, printResult } from '../terminal/output.ts';
import { agentProgram } from './agent-program.ts';
import { askedDriver, refuseTooMany } from './asked-driver.ts';
import type { AgentRunOptions } from './run-agent.ts';
import { serviceFile } from './service-file.ts';
import type { Service } from './service-text.ts';
import { workFolder } from './work-folder.ts';

export type AgentInstallOptions = AgentRunOptions & { yes?: true };

// Settings without a secret; PATH is where the agent's program and all that it starts are found.
const CARRIED = [
  'PATH',
  'CAIRN_DATA_DIR',
  'CAIRN_CONFIG_DIR',
  // Without the former these decide where data and settings are.
  'XDG_DATA_HOME',
  'XDG_CONFIG_HOME',
  'CAIRN_PROJECT',
  'CAIRN_MAX_AGENTS',
];
const OF_INSTALL = ['--yes', '--json'];
const DATABASES = ['DATABASE_URL', 'SUPABASE_URL'];

/** `cairn agent install -- COMMAND`: shows what would start the agent at login, and writes it. */
export async function installAgent(config: Config, words: string[], options: AgentInstallOptions): Promise<void> {
  const { name } = options;
  if (name === undefined) throw mistyped('A service needs a name.', 'Say it: --name claude-1.');
  askedDriver(words, options);
  refuseTooMany(0, options, config);
  const file = serviceFile(name);
  const { env } = thisHost();
  refuseWhatIsNotFound(options, env);
  await workFolder(options.workspace, env);
  agentProgram(words[0] ?? '', env);
  const service: Service = {
    ...{ name, cwd: process.cwd() },
    words: [process.execPath, CLI, ...runWords(process.argv.slice(2))],
    env: carriedOf(env),
  };
  const odd = [service.cwd, ...service.words, ...Object.values(service.env)].find((text) => /\p{Cc}/u.test(text));
  if (odd !== undefined) throw mistyped(`${escaped(odd)} has a control character.`, 'Leave it out.');

  const { path, start } = file;
  const text = file.textOf(service);
  const replaced = await stat(path).then(
    () => true,
    () => false,
  );
  if (!options.json) printLine(`${path}${replaced ? ', which is replaced' : ''}:\n\n${text}`);
  if (!(options.yes || (await isConfirmed(words, options)))) return printLine('Nothing was written.');
  await mkdir(dirname(path), { recursive: true });
  await writeAtomically(path, text, { mode: 0o600 });
  printResult({ path, replaced, text, start }, options, () => ['It is written.', ...start]);
}

/** `cairn agent uninstall NAME`: stops the service, and removes its file. */
export async function uninstallAgent(_: Config, name: string, options: JsonOption): Promise<void> {
  const file = serviceFile(name);
  const found = await stat(file.path).catch(() => undefined);
  if (found === undefined) {
    throw new DomainError('not_found', `No service drives ${cleanLine(name)} here: there is no ${file.path}.`, {
      hint: '`cairn agents` shows the agents.',
    });
  }
  const [program, ...args] = file.stop;
  const failure = await promisify(execFile)(program, args).then(
    () => undefined,
    (error) => cleanLine(messageOf(error)).slice(0, 300),
  );
  await rm(file.path);
  printResult({ path: file.path, stopped: failure === undefined, failure }, options, () => [
    failure === undefined ? 'It is stopped.' : `It was not stopped: ${failure}`,
    `Removed ${file.path}. \`cairn agents retire ${name}\` takes the agent from the list, too.`,
  ]);
}

/** Turns the line that installs an agent into the one that runs it, with all that it says. */
export function runWords(given: readonly string[]): string[] {
  const at = given.findIndex((word, index) => word === 'agent' && given[index + 1] === 'install');
  const end = given.includes('--') ? given.indexOf('--') : given.length;
  const options = given.slice(at + 2, end).filter((word) => !OF_INSTALL.includes(word));
  return [...given.slice(0, at), 'agent', 'run', ...options, ...given.slice(end)];
}

/** The settings that a service keeps of the shell in which it was made. */
export function carriedOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(CARRIED.flatMap((variable) => (env[variable] ? [[variable, env[variable]]] : [])));
}

/** A service has the environment of no shell, and its file holds no secret. */
function refuseWhatIsNotFound({ url, tokenFile }: AgentInstallOptions, env: NodeJS.ProcessEnv): void {
  if (/[\\/]_npx[\\/]/.test(CLI)) {
    throw new DomainError('invalid_input', 'npx keeps this program in a cache, where a service may not find it.', {
      hint: 'Install it first: npm install -g cairn-mcp.',
    });
  }
  if (url !== undefined) {
    if (tokenFile === undefined) throw mistyped('A service does not see CAIRN_TOKEN.', 'Say --token-file.');
    return;
  }
  const database = DATABASES.find((variable) => env[variable]);
  if (database === undefined) return;
  throw new DomainError('invalid_input', `A service does not see ${database}, and would use another database.`, {
    hint: 'Let it report to a `cairn serve` of that database: --url and --token-file.',
  });
}

async function isConfirmed(words: readonly string[], options: JsonOption): Promise<boolean> {
  if (!canAsk(options)) throw mistyped('Nobody is there to confirm it.', 'Say --yes.');
  return askConfirmation(`Let the system start ${cleanLine(words.join(' '))}?`);
}
