import { isEmbedded, readBrief } from '../../brief-files.ts';
import { type Config, readConfig, thisHost } from '../../config.ts';
import type { Context } from '../../context.ts';
import { isServerRunning } from '../../db/embedded/postmaster.ts';
import { DomainError } from '../../errors.ts';
import { agentOf, type Hooked } from './agent.ts';
import { DIALECTS, isHookClient, type Saying } from './dialects.ts';
import { noteGaveUp } from './gave-up.ts';
import { readInput } from './input.ts';
import { TurnFile } from './turn-file.ts';

// Counted from the start of the process. A hook that reads or saves needs a fraction of it; if the machine or the
// database delays it longer than an agent may wait, it stops anywhere.
const ANSWER_MS_MAX = 2_000;
const CONTINUATIONS_MAX = 7;
const ASK = 'Cairn holds the plan and the hand-over of this repository. Call resume_project.\n';

type Answering = Hooked & {
  turn: TurnFile;
  /** Sets what is said when the process ends. */
  say(saying: Saying): void;
  /** Gives it so much time more; `why` is noted if that is over. */
  allow(ms: number, why?: string): void;
};

/**
 * `cairn hook EVENT [CLIENT]`: `session-start` tells where the project stands, `pre-compact` and `stop` save a
 * checkpoint if something changed since the last, `after-tools` and `stop` give the session's agent the commands that
 * wait for it. It never fails, and waits for nobody: without a running database, a bound project or the time it says
 * little or nothing; why is left where `cairn agents` finds it. Its exit status is 0.
 */
export async function runHook(event: string, client: string, flags: object): Promise<void> {
  if (!isHookClient(client)) return;
  const answersInJson = event === 'after-tools' || event === 'stop' || client !== 'claude-code';
  let said = answersInJson ? '{}\n' : '';
  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    clearTimeout(timer);
    process.stdout.write(said, () => process.exit(0));
  };
  const isAtWork = event === 'after-tools' || event === 'stop';
  // A client waits at each tool border and at the end of each turn. Counted from here: what comes before is Node.js.
  const began = performance.now();
  let note = (_why: string) => {};
  const allow = (ms: number, why = `the database took longer than ${ANSWER_MS_MAX} ms.`) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      note(why);
      end();
    }, ms);
  };
  allow(leftOf(ANSWER_MS_MAX));
  try {
    const input = await readInput(process.stdin);
    const config = readConfig(flags, undefined, input.cwd);
    if (config.project === undefined) return;
    const hooked = { client, input, config };
    const agent = agentOf(hooked);
    note = (why) => noteGaveUp(config.dataDir, { client, agent, event, why });
    if (isAtWork) {
      const late = `the database did not answer within ${config.hookMs} ms; CAIRN_HOOK_MS gives it longer.`;
      allow(began + config.hookMs - performance.now(), late);
    }
    const say = (saying: Saying) => {
      const isPlain = !answersInJson && saying !== undefined && 'context' in saying;
      said = isPlain ? saying.context : `${JSON.stringify(DIALECTS[client].say(saying, input))}\n`;
    };
    const answering = { ...hooked, turn: new TurnFile(config.dataDir, agent), say, allow };
    // Does not repeat the repository's own words: only the database knows whether the project exists.
    if (event === 'session-start') say({ context: leftBehind(config, config.project) ?? ASK });
    if (await isRunning(config)) await answer(event, answering);
  } catch (error) {
    note(error instanceof Error ? error.message : String(error));
    // The agent goes on without it, and is not sent after a missing project.
    if (error instanceof DomainError && error.code === 'not_found') said = answersInJson ? '{}\n' : '';
  } finally {
    end();
  }
}

async function answer(event: string, answering: Answering): Promise<void> {
  // Imported last: most hooks find no running database and need no client for one.
  const { openAsAgent } = await import('./calling.ts');
  const ctx = await openAsAgent(answering);
  if (event === 'session-start') return begin(ctx, answering);
  if (event === 'after-tools') return atBorder(ctx, answering);
  if (event === 'stop' && (await atEnd(ctx, answering))) return;
  answering.allow(leftOf(ANSWER_MS_MAX));
  const { saveCheckpoint } = await import('./project.ts');
  await saveCheckpoint(ctx, event, answering.input);
  // What came meanwhile would wait for a person otherwise.
  if (event === 'stop') await goOn(ctx, answering);
}

async function begin(ctx: Context, answering: Answering): Promise<void> {
  const { readBriefNow } = await import('./project.ts');
  answering.say({ context: await readBriefNow(ctx) });
  if (!isDriven()) await (await import('./calling.ts')).callAs(ctx, answering, { takes: 'nothing' });
}

/** Gives what joins a turn, or ends the turn of a command that was interrupted. */
async function atBorder(ctx: Context, answering: Answering): Promise<void> {
  const { input, turn, say } = answering;
  if (isDriven() || input.is_subagent) return;
  await turn.endWait();
  const [{ callAs, pathOf }, { noteDelivered, textFor }] = await importCalling();
  answering.allow(ANSWER_MS_MAX);
  const given = await callAs(ctx, answering, { takes: 'joining' });
  if ('interrupt' in given) return say({ end: given.interrupt });
  if ('nothing' in given) return;
  say({ context: textFor(given) });
  await noteDelivered(ctx, given, pathOf(answering));
}

function importCalling() {
  return Promise.all([import('./calling.ts'), import('../../runner/calling.ts')]);
}

/** Ends what the turn was about, and goes on with the next. Resolves to whether the turn goes on. */
async function atEnd(ctx: Context, answering: Answering): Promise<boolean> {
  const { input, turn } = answering;
  if (isDriven()) return false;
  if (!input.goes_on) await turn.setContinued(0);
  const { turnOf } = await import('./calling.ts');
  return goOn(ctx, answering, turnOf(input));
}

async function goOn(ctx: Context, answering: Answering, ended?: object): Promise<boolean> {
  const { input, turn, say } = answering;
  if (isDriven()) return false;
  const [{ callAs, pathOf }, { noteDelivered, textFor }] = await importCalling();
  const times = turn.continued();
  // Who broke a turn off wants no other.
  const isOver = times >= CONTINUATIONS_MAX || (input.status !== undefined && input.status !== 'completed');
  answering.allow(ANSWER_MS_MAX);
  const given = await callAs(ctx, answering, {
    takes: isOver ? 'nothing' : 'next',
    ...(ended !== undefined && { turn: ended }),
    idle: true,
  });
  if (!('command' in given)) return false;
  say({ goOn: textFor(given) });
  await Promise.all([turn.setContinued(times + 1), turn.endWait(), noteDelivered(ctx, given, pathOf(answering))]);
  return true;
}

/** A runner has started this session: commands come through it. */
function isDriven(): boolean {
  return Boolean(thisHost().env['CAIRN_RUN']);
}

function leftOf(ms: number): number {
  return Math.max(0, ms - performance.now());
}

function leftBehind(config: Config, project: string): string | undefined {
  return isEmbedded(config) ? readBrief(config.dataDir, project) : undefined;
}

/** Tells whether a database seems to run. */
export async function isRunning(config: Config): Promise<boolean> {
  return !isEmbedded(config) || isServerRunning(config.dataDir);
}
