import type { Driver } from '../driver.ts';
import type { DriverName } from '../driver-names.ts';
import type { Program } from '../process-group.ts';

type Options = { program: Program; graceMs: number; quietMs?: number };

/** Opens each driver, which is imported when it is used. */
export const DRIVERS: Record<DriverName, (options: Options) => Promise<Driver>> = {
  claude: async (options) => (await import('./claude.ts')).claudeDriver(options),
  codex: async (options) => (await import('./codex.ts')).codexDriver(options),
  acp: async (options) => (await import('./acp.ts')).acpDriver(options),
  pipe: async (options) => (await import('./pipe.ts')).pipeDriver(options),
  pty: async (options) => (await import('./pty.ts')).ptyDriver(options),
};

/** Agents that `auto` knows by the name of their program, and the arguments that their driver needs. */
const KNOWN: Record<string, { driver: DriverName; args?: readonly string[] }> = {
  claude: { driver: 'claude' },
  codex: { driver: 'codex' },
  gemini: { driver: 'acp', args: ['--acp'] },
};
const ACP_ARGUMENTS: readonly string[] = ['acp', '--acp', '--experimental-acp'];

/** Chooses the driver of a program: by its name, or by an argument that makes it speak a protocol. */
export function driverOf(kind: string, args: readonly string[]): { driver: DriverName; args: readonly string[] } {
  const speaksAcp = args.some((arg) => ACP_ARGUMENTS.includes(arg));
  const known = KNOWN[kind];
  if (known === undefined) return { driver: speaksAcp || kind.endsWith('-acp') ? 'acp' : 'pipe', args };
  return { driver: known.driver, args: speaksAcp ? args : [...args, ...(known.args ?? [])] };
}
