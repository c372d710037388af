import { type Command, Option } from 'commander';
import type { Memory } from '../../events/memory.ts';
import { command, examples, JSON_OPTION, limit } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { DecideOptions, MemoryOptions } from './memory.ts';

// They stand here, too, since what checks the data is loaded when a command runs.
const SCOPES = ['run', 'agent', 'project', 'workspace'] as const satisfies Memory['scope'][];
const KINDS = ['fact', 'preference', 'procedure', 'hypothesis'] as const satisfies Memory['kind'][];

const load = () => import('./memory.ts');

export function addMemoryCommands(program: Command): void {
  const memory = program.command('memory').description('see and decide what agents remember');
  memory.addHelpText('after', examples('cairn memory', 'cairn memory forget 3f2a91c0'));
  memory
    .command('list', { isDefault: true })
    .description('list what is remembered, the latest first; with --project, of one project')
    .option('--proposed', 'only what waits for your yes')
    .option('--all', 'include what is superseded, expired, declined or forgotten')
    .addOption(new Option('--scope <scope>', 'only what is for a run, an agent, a project or all').choices(SCOPES))
    .addOption(new Option('--kind <kind>', 'only those of this kind').choices(KINDS))
    .option('--limit <count>', 'how many at most', limit, 20)
    .option('-f, --follow', 'go on with each that is noted')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn memory', 'cairn memory list --proposed', 'cairn memory --all --json'))
    .action(
      // Takes only a project that was typed: without one, nobody expects to miss those of others.
      command(async (config, options: MemoryOptions, self: Command) => {
        const { project } = self.optsWithGlobals<{ project?: string }>();
        await (await load()).runMemory(config, { ...options, project });
      }),
    );
  memory
    .command('show <memory>')
    .description('show what was noted under its key, the latest first; named by its id or the end of it')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn memory show 3f2a91c0'))
    .action(
      command(async (config, given: string, options: JsonOption) =>
        (await load()).runShowMemory(config, given, options),
      ),
    );
  for (const [name, decision, says] of [
    ['approve', 'approved', 'let it be given to agents'],
    ['decline', 'declined', 'do not let it be given to agents'],
    ['forget', 'forgotten', 'take it back; what it superseded is given again'],
  ] as const) {
    memory
      .command(`${name} <memory>`)
      .description(says)
      .option(...JSON_OPTION)
      .addHelpText('after', examples(`cairn memory ${name} 3f2a91c0`))
      .action(
        command(async (config, given: string, options: DecideOptions) =>
          (await load()).runDecideMemory(config, given, { ...options, decision }),
        ),
      );
  }
}
