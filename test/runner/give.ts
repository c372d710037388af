import type { Answer, Driver, Question } from '../../src/runner/driver.ts';
import type { DriverName } from '../../src/runner/driver-names.ts';
import { DRIVERS } from '../../src/runner/drivers/catalog.ts';
import { GRACE_MS, program, stopAll } from './drive.ts';

const opened = new Set<Driver>();

/** Stops the runners of the test that ends, and closes its drivers. */
export async function closeDrivers(): Promise<void> {
  await stopAll();
  await Promise.all([...opened].map((driver) => driver.close()));
  opened.clear();
}

/** Opens a driver of its stand-in. */
export async function open(name: DriverName, ...args: string[]): Promise<Driver> {
  const standIn = name === 'pipe' ? 'program' : name;
  const driver = await DRIVERS[name]({ program: program(standIn, ...args), graceMs: GRACE_MS, quietMs: 250 });
  opened.add(driver);
  return driver;
}

/** Gives a text without a database around, and answers what the agent asks. */
export function give(driver: Driver, text: string, answer: () => Promise<Answer> = () => new Promise(() => {})) {
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
      works() {},
      signalled() {},
      printed: (_, words) => void printed.push(words),
      asks: (question, signal) => {
        asked.push({ question, signal });
        return answer();
      },
    },
  });
  return { turn, asked, printed: () => printed.join('') };
}
