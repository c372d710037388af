import { Command } from 'commander';
import { messageOf } from '../errors.ts';
import { escaped } from '../text.ts';

// The words of other programs, and ours; spelling finds the rest.
const MEANT: Readonly<Record<string, Readonly<Record<string, string>>>> = Object.freeze({
  cairn: {
    comment: 'note',
    complete: 'close',
    continue: 'go-on',
    create: 'add',
    delete: 'cancel',
    done: 'close',
    finish: 'close',
    list: 'tasks',
    ls: 'tasks',
    new: 'add',
    pause: 'stop',
    rm: 'cancel',
    remove: 'cancel',
    start: 'claim',
    update: 'edit',
    version: 'cairn --version',
    view: 'show',
  },
  agents: {
    continue: 'go-on',
    delete: 'retire',
    ls: 'list',
    pause: 'stop',
    remove: 'retire',
    resume: 'go-on',
    rm: 'retire',
    start: 'go-on',
  },
  commands: { delete: 'cancel', get: 'show', ls: 'list', rm: 'cancel', send: 'cairn send', stop: 'cancel' },
  memory: { delete: 'forget', get: 'show', ls: 'list', remove: 'forget', rm: 'forget', search: 'cairn search' },
  presets: { add: 'save', create: 'save', delete: 'remove', ls: 'list', rm: 'remove' },
  profiles: { add: 'save', create: 'save', delete: 'remove', ls: 'list', rm: 'remove' },
  reports: { get: 'show', ls: 'list', view: 'show' },
  runs: { cancel: 'interrupt', end: 'interrupt', get: 'show', kill: 'interrupt', ls: 'list', stop: 'interrupt' },
  project: {
    add: 'create',
    delete: 'archive',
    ls: 'list',
    new: 'create',
    remove: 'archive',
    rm: 'archive',
    update: 'edit',
  },
});

/** Suggests commands for a word that is no command of a program or group. */
export function suggestCommands(program: Command): void {
  // The program itself has an action, which takes such a word.
  for (const group of program.commands.filter(({ commands }) => commands.length > 0)) {
    group.on('command:*', ([word = '']: string[]) => refuseUnknown(group, word));
    for (const command of group.commands) refuseWordsBefore(command, group);
    suggestCommands(group);
  }
}

/** The command that a group runs by itself takes an unknown word for an argument. */
function refuseWordsBefore(command: Command, group: Command): void {
  if (command.registeredArguments.length > 0 || command.commands.length > 0) return;
  command.allowExcessArguments().hook('preAction', () => {
    const [word] = command.args;
    if (word === undefined) return;
    if (group.args[0] !== command.name()) refuseUnknown(group, word);
    command.error(
      `error: ${pathOf(command)} takes no ${escaped(word)}. ${pathOf(command)} --help shows what it takes.`,
    );
  });
}

/** Ends with Commander's error for a program without an action. */
export function refuseUnknown(group: Command, word: string): never {
  const path = pathOf(group);
  const meant = MEANT[group.name()]?.[word] ?? spelledLike(group, word);
  const hint = meant === undefined ? `${path} --help lists those there are.` : `Did you mean ${meant}?`;
  return group.error(`error: There is no command ${[...path.split(' ').slice(1), escaped(word)].join(' ')}. ${hint}`);
}

/** Returns the full name, such as `cairn project`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function spelledLike(group: Command, word: string): string | undefined {
  const names = new Command(group.name()).exitOverride().configureOutput({ writeErr: () => {} });
  for (const command of group.createHelp().visibleCommands(group)) names.command(command.name());
  try {
    names.parse([word], { from: 'user' });
  } catch (error) {
    return /Did you mean (.+)\?/.exec(messageOf(error))?.[1];
  }
  return undefined;
}
