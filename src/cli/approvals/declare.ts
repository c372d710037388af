import type { Command } from 'commander';
import { command, examples, JSON_OPTION } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { ApprovalsOptions, DecideOptions } from './approvals.ts';

const NOTE_OPTION = ['-m, --message <text>', 'what the agent is told with it'] as const;

const load = () => import('./approvals.ts');

export function addApprovalsCommands(program: Command): void {
  const approvals = program.command('approvals').description('answer what agents ask before they go on');
  approvals.addHelpText('after', examples('cairn approvals', 'cairn approvals approve 3f2a91c0'));
  approvals
    .command('list', { isDefault: true })
    .description('list what waits for an answer; what nobody answers in time is a no')
    .option('--all', 'include what was answered, or not in time')
    .option('-f, --follow', 'go on with each that comes')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn approvals', 'cairn approvals list --follow'))
    .action(
      // Takes only a project that was typed: without one, nobody expects to miss those of others.
      command(async (config, options: ApprovalsOptions, self: Command) => {
        const { project } = self.optsWithGlobals<{ project?: string }>();
        await (await load()).runApprovals(config, { ...options, project });
      }),
    );
  approvals
    .command('show <question>')
    .description('show all that the agent shows of it, named by its id or the end of it')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn approvals show 3f2a91c0'))
    .action(
      command(async (config, question: string, options: JsonOption) =>
        (await load()).runShowApproval(config, question, options),
      ),
    );
  addDecisions(approvals);
}

function addDecisions(approvals: Command): void {
  for (const [name, decision, says] of [
    ['approve', 'approved', 'let the agent do it'],
    ['deny', 'denied', 'do not let the agent do it'],
  ] as const) {
    approvals
      .command(`${name} <question>`)
      .description(says)
      .option(...NOTE_OPTION)
      .option(...JSON_OPTION)
      .addHelpText('after', examples(`cairn approvals ${name} 3f2a91c0 -m "Only this once."`))
      .action(
        command(async (config, question: string, options: DecideOptions) =>
          (await load()).runDecide(config, question, { ...options, decision }),
        ),
      );
  }
  approvals
    .command('answer <question> <words...>')
    .description('answer a question, with one of its options or in words')
    .option(...NOTE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn approvals answer 3f2a91c0 "Use the staging account."'))
    .action(
      command(async (config, ...[question, words, options]: [string, string[], DecideOptions]) =>
        (await load()).runDecide(config, question, { ...options, decision: 'approved', answer: words.join(' ') }),
      ),
    );
}
