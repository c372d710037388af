import { type Command, Option } from 'commander';
import { command, duration, examples, JSON_OPTION } from '../command.ts';
import type { AlertsOptions, HandleOptions } from './alerts.ts';

const NOTE_OPTION = ['-m, --note <text>', 'what you make of it'] as const;
const DAY = '24h';

const load = () => import('./alerts.ts');

export function addAlertsCommands(program: Command): void {
  const alerts = program.command('alerts').description('see and handle what Cairn noticed');
  alerts.addHelpText('after', examples('cairn alerts', 'cairn alerts ack 3f2a91c0'));
  alerts
    .command('list', { isDefault: true })
    .description('list the alerts that wait for somebody')
    .option('--all', 'include those that are acknowledged, snoozed or resolved, or of archived projects')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn alerts', 'cairn alerts list --all'))
    .action(
      // Takes only a project that was typed: without one, nobody expects to miss the alerts of others.
      command(async (config, options: AlertsOptions, self: Command) => {
        const { project } = self.optsWithGlobals<{ project?: string }>();
        await (await load()).runAlerts(config, { ...options, project });
      }),
    );
  alerts
    .command('ack <alert>')
    .description('acknowledge an alert, named by its id or the end of it')
    .option(...NOTE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn alerts ack 3f2a91c0 -m "I look at it."'))
    .action(handle('acknowledged'));
  alerts
    .command('snooze <alert>')
    .description('put an alert off')
    .addOption(new Option('--for <time>', 'how long, at most 24h').argParser(duration).default(duration(DAY), DAY))
    .option(...NOTE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn alerts snooze 3f2a91c0 --for 8h'))
    .action(handle('snoozed'));
  alerts
    .command('resolve <alert>')
    .description('close an alert whose cause is gone')
    .option(...NOTE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn alerts resolve 3f2a91c0 -m "Fixed."'))
    .action(handle('resolved'));
}

function handle(status: 'acknowledged' | 'snoozed' | 'resolved') {
  return command(async (config, alert: string, options: HandleOptions) =>
    (await load()).runHandle(config, alert, { ...options, status }),
  );
}
