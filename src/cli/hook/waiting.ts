import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig, thisHost } from '../../config.ts';
import type { Context } from '../../context.ts';
import { isQueued, noteDelivered, textFor } from '../../runner/calling.ts';
import { isAlive } from '../../runner/process-start.ts';
import { agentOf, type Hooked } from './agent.ts';
import { callAs, openAsAgent, pathOf } from './calling.ts';
import { isRunning } from './hook.ts';
import { readInput } from './input.ts';
import { TurnFile } from './turn-file.ts';

const POLL_MS = 1_000;
const BEAT_MS = 10_000;
const AWAY_MS = 5_000;
/** By this exit code Claude Code takes what was printed as a reason to go on. */
const WAKES = 2;

/**
 * `cairn hook wait`, in the background after a turn of Claude Code has ended: waits for a command and wakes the session
 * with it. One process an agent: it ends when a newer one waits, the session works again, or its client has ended.
 */
export async function waitForCommand(flags: object): Promise<void> {
  const end = (text = '') => void process.stderr.write(text, () => process.exit(text === '' ? 0 : WAKES));
  try {
    const input = await readInput(process.stdin);
    const config = readConfig(flags, undefined, input.cwd);
    const hooked: Hooked = { client: 'claude-code', input, config };
    const { env } = thisHost();
    // A session that nobody attends ends when its turn has; it would wait for this process instead.
    const isAttended = env['CLAUDE_CODE_SESSION_ATTENDED'] !== '0';
    if (config.project === undefined || env['CAIRN_RUN'] || !isAttended) return end();
    const turn = new TurnFile(config.dataDir, agentOf(hooked));
    await turn.wait();
    const client = Number(env['CLAUDE_PID']) || process.ppid;
    const goesOn = () => turn.isWaiting() && isAlive(client);
    end(await untilWoken(hooked, goesOn));
  } catch {
    end();
  }
}

/** Resolves to the text of a command, or to nothing when the wait is over. */
async function untilWoken(hooked: Hooked, goesOn: () => boolean): Promise<string | undefined> {
  let ctx: Context | undefined;
  let calledAt = Number.NEGATIVE_INFINITY;
  // The hook that ends the turn comes first: it goes on with what waits already.
  for (let pause = POLL_MS; ; pause = POLL_MS) {
    await sleep(pause);
    if (!goesOn()) return undefined;
    try {
      if (ctx === undefined && !(await isRunning(hooked.config))) {
        await sleep(AWAY_MS);
        continue;
      }
      ctx ??= await openAsAgent(hooked);
      const isDue = performance.now() - calledAt >= BEAT_MS;
      if (!isDue && !(await isQueued(ctx, agentOf(hooked)))) continue;
      if (!goesOn()) return undefined;
      calledAt = performance.now();
      const given = await callAs(ctx, hooked, { takes: 'next', idle: true });
      if (!('command' in given)) continue;
      await noteDelivered(ctx, given, pathOf(hooked));
      return textFor(given);
    } catch {
      await ctx?.db.close().catch(() => {});
      ctx = undefined;
      await sleep(AWAY_MS);
    }
  }
}
