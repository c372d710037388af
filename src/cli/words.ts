import { Command } from 'commander';
import { escaped } from '../text.ts';

// What people of other programs type, and what it is called here; the rest is found by its spelling.
const MEANT: Readonly<Record<string, Readonly<Record<string, string>>>> = Object.freeze({
  cairn: {
    comment: 'note',
    complete: 'close',
    create: 'add',
    delete: 'cancel',
    done: 'close',
    finish: 'close',
    list: 'tasks',
    ls: 'tasks',
    new: 'add',
    rm: 'cancel',
    remove: 'cancel',
    start: 'claim',
    update: 'edit',
    version: 'cairn --version',
    view: 'show',
  },
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

/** Answers a word that is no command of a program or group with what was meant. */
export function suggestCommands(program: Command): void {
  // The program itself has an action, which takes such a word.
  for (const group of program.commands.filter(({ commands }) => commands.length > 0)) {
    group.on('command:*', ([word = '']: string[]) => refuseUnknown(group, word));
    suggestCommands(group);
  }
}

/** Ends with the error that Commander ends with where a program has no action of its own. */
export function refuseUnknown(group: Command, word: string): never {
  const path = pathOf(group);
  const meant = MEANT[group.name()]?.[word] ?? spelledLike(group, word);
  const hint = meant === undefined ? `${path} --help lists those there are.` : `Did you mean ${meant}?`;
  return group.error(`error: There is no command ${[...path.split(' ').slice(1), escaped(word)].join(' ')}. ${hint}`);
}

/** `cairn project`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function spelledLike(group: Command, word: string): string | undefined {
  const names = new Command(group.name()).exitOverride().configureOutput({ writeErr: () => {} });
  for (const { name } of group
    .createHelp()
    .visibleCommands(group)
    .map((one) => ({ name: one.name() })))
    names.command(name);
  try {
    names.parse([word], { from: 'user' });
  } catch (error) {
    return /Did you mean (.+)\?/.exec((error as Error).message)?.[1];
  }
  return undefined;
}
