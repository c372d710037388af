import { type Config, thisHost } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { waitForCommand } from '../../runner/calling.ts';
import { onStopSignal } from '../../stop-signals.ts';
import { shellAgent } from '../agents/shell-agent.ts';
import { inLocalContext } from '../local-context.ts';
import { type JsonOption, printLine } from '../terminal/output.ts';

export type AgentWaitOptions = JsonOption & { seconds?: number };

/** `cairn agent wait`: blocks until a command arrives for this agent. Exit code 1 where none came in time. */
export async function waitAsAgent(config: Config, { seconds, json }: AgentWaitOptions): Promise<void> {
  if (shellAgent(config, thisHost().env) === undefined) {
    throw new DomainError('invalid_input', 'No agent waits here.', {
      hint: 'Call it within an agent, or name one: cairn --agent NAME agent wait.',
    });
  }
  const leaving = new AbortController();
  onStopSignal(() => leaving.abort());
  const timer = seconds === undefined ? undefined : setTimeout(() => leaving.abort(), seconds * 1_000);
  try {
    await inLocalContext(config, async (ctx) => {
      const answer = await waitForCommand(ctx, leaving.signal);
      if (answer === undefined) {
        process.exitCode = 1;
        return;
      }
      if ('interrupt' in answer) return printLine(json ? JSON.stringify(answer, null, 2) : answer.interrupt);
      const { run, lock_token, command, text } = answer;
      if (json) return printLine(JSON.stringify({ run, lock_token, command }, null, 2));
      printLine(`${text}\nRun ${run.id}, lock_token ${lock_token}: update_command ends it.`);
    });
  } finally {
    clearTimeout(timer);
  }
}
