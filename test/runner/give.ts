import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Answer, Driver, Question } from '../../src/runner/driver.ts';
import type { DriverName } from '../../src/runner/driver-names.ts';
import { DRIVERS } from '../../src/runner/drivers/catalog.ts';
import type { Gate } from '../../src/runner/gate.ts';
import { HolderLink } from '../../src/runner/holder/link.ts';
import { startHolder } from '../../src/runner/holder/start-holder.ts';
import { GRACE_MS, program, stopAll } from './drive.ts';

const opened = new Set<Driver>();
const held = new Map<HolderLink, string>();
const QUIET_MS = 250;

/** Stops the runners of the test that ends, and closes its drivers. */
export async function closeDrivers(): Promise<void> {
  await stopAll();
  await Promise.all([...opened].map((driver) => driver.close()));
  opened.clear();
  for (const [link, folder] of held) {
    await link.quit();
    await rm(folder, { recursive: true, force: true });
  }
  held.clear();
}

const standIn = (name: DriverName, args: string[]) => program(name === 'pipe' ? 'program' : name, ...args);

/** Opens a driver of its stand-in. */
export function open(name: DriverName, ...args: string[]): Promise<Driver> {
  return openBehind(undefined, name, ...args);
}

/** The same, whose prints wait while a gate is closed. */
export async function openBehind(gate: Gate | undefined, name: DriverName, ...args: string[]): Promise<Driver> {
  const program = { ...standIn(name, args), ...(gate !== undefined && { gate }) };
  const driver = await DRIVERS[name]({ program, graceMs: GRACE_MS, quietMs: QUIET_MS });
  opened.add(driver);
  return driver;
}

/** The same, in the program of its own that a runner lets hold it. */
export async function openHeld(
  name: DriverName,
  ...args: string[]
): Promise<{ driver: Driver; link: HolderLink; holder: number }> {
  const { cwd, ...about } = standIn(name, args);
  const times = { graceMs: GRACE_MS, quietMs: QUIET_MS, waitMs: 10_000 };
  const folder = await mkdtemp(join(tmpdir(), 'cairn-held-'));
  const link = await startHolder(
    { dir: folder, errors: join(folder, 'errors.log') },
    { type: 'agent', driver: name, ...about, ...times },
  );
  held.set(link, folder);
  return { driver: await link.open(cwd), link, holder: link.address.pid };
}

/** Connects to the holder of one that was left. */
export async function follow({ address }: HolderLink): Promise<HolderLink> {
  const link = await HolderLink.connect(address, { graceMs: GRACE_MS });
  if (link === undefined) throw new Error('The holder is gone.');
  held.set(link, dirname(address.path));
  return link;
}

const nobody = () => new Promise<Answer>(() => {});
type Given = {
  answer?: () => Promise<Answer>;
  hears?: (words: string) => void;
  works?: (names: readonly string[]) => void;
};

/** Gives a text without a database around, and answers what the agent asks; who hears what it prints keeps that. */
export function give(driver: Driver, text: string, { answer = nobody, hears, works = () => {} }: Given = {}) {
  const asked: { question: Question; signal: AbortSignal }[] = [];
  const printed: string[] = [];
  const turn = driver.deliver(text, {
    run: 'r',
    mode: 'turn',
    env: {},
    watcher: {
      delivered() {},
      acknowledged() {},
      used() {},
      works,
      signalled() {},
      printed: (_, words) => (hears === undefined ? printed.push(words) : hears(words)),
      asks: (question, signal) => {
        asked.push({ question, signal });
        return answer();
      },
    },
  });
  return { turn, asked, printed: () => printed.join('') };
}
