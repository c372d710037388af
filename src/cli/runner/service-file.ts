import { join } from 'node:path';
import { type Host, thisHost } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { escaped } from '../../text.ts';
import { mistyped } from '../mistyped.ts';
import { launchdPlist, type Service, systemdUnit } from './service-text.ts';

/** How this system starts an agent at login. */
export type ServiceFile = {
  path: string;
  textOf(service: Service): string;
  /** Commands for a person, once the file is there. */
  start: readonly string[];
  /** Ends it, and lets the system forget it. */
  stop: readonly [program: string, ...args: string[]];
};

// It becomes the name of a file and of a unit, and a word of a shell.
const NAME = /^\w[\w.-]{0,59}$/;

/** Raises invalid_input for a name that no service may have, and on Windows. */
export function serviceFile(name: string, { platform, home, env }: Host = thisHost()): ServiceFile {
  if (platform === 'win32') {
    throw new DomainError('invalid_input', 'Cairn cannot install an agent on Windows yet.', {
      hint: 'Let a task of the Task Scheduler run it at logon: cairn agent run --name NAME -- COMMAND.',
    });
  }
  if (!NAME.test(name)) {
    throw mistyped(`${escaped(name)} cannot be the name of a service.`, 'Choose letters, digits, dots and dashes.');
  }
  if (platform === 'darwin') return launchdAgent(name, home);
  const unit = `cairn-agent-${name}`;
  return {
    path: join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'systemd', 'user', `${unit}.service`),
    textOf: systemdUnit,
    start: [
      `Start it:       systemctl --user daemon-reload && systemctl --user enable --now ${unit}`,
      `See it:         journalctl --user -fu ${unit}`,
      'Let it run while you are not signed in: loginctl enable-linger',
    ],
    stop: ['systemctl', '--user', 'disable', '--now', unit],
  };
}

function launchdAgent(name: string, home: string): ServiceFile {
  const label = `cairn.agent.${name}`;
  const path = join(home, 'Library', 'LaunchAgents', `${label}.plist`);
  const log = join(home, 'Library', 'Logs', `${label}.log`);
  return {
    path,
    textOf: (service) => launchdPlist({ label, log, service }),
    start: [
      `Start it:       launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/${label}.plist`,
      `See it:         tail -f ~/Library/Logs/${label}.log`,
    ],
    stop: ['launchctl', 'bootout', `gui/${process.getuid?.() ?? 0}/${label}`],
  };
}
