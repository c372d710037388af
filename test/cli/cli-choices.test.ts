import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { ArtifactAdded } from '../../src/events/artifacts.ts';
import { COMMAND_MODES, COMMAND_STATUSES, COMMAND_TYPES } from '../../src/events/commands.ts';
import { PresetChanged } from '../../src/events/presets.ts';
import { NOTE_KINDS } from '../../src/events/projects.ts';
import { PRIORITIES, STATUSES } from '../../src/events/task-forms.ts';

const program = createProgram();
const choices = (name: string, option: string) =>
  program.commands.find((command: Command) => command.name() === name)?.options.find(({ long }) => long === option)
    ?.argChoices;

// The lists stand twice, since what checks the data is loaded when a command runs.
test('what an option takes is what there is', () => {
  expect(new Set(choices('tasks', '--status'))).toEqual(new Set(STATUSES));
  for (const name of ['tasks', 'add', 'edit'])
    expect(new Set(choices(name, '--priority'))).toEqual(new Set(PRIORITIES));
  // Answers have a command of their own.
  expect(choices('note', '--kind')).toEqual(NOTE_KINDS.filter((kind) => kind !== 'answer'));
  const presets = program.commands.find((command) => command.name() === 'presets');
  const type = presets?.commands
    .find((command) => command.name() === 'save')
    ?.options.find(({ long }) => long === '--type');
  expect(type?.argChoices).toEqual(PresetChanged.shape.type.unwrap().options);
  expect(choices('send', '--type')).toEqual(COMMAND_TYPES);
  expect(choices('send', '--mode')).toEqual(COMMAND_MODES);
  const commands = program.commands.find((command) => command.name() === 'commands');
  const status = commands?.commands[0]?.options.find(({ long }) => long === '--status');
  expect(status?.argChoices).toEqual(COMMAND_STATUSES);
  const attach = program.commands.find((command) => command.name() === 'attach');
  expect(attach?.registeredArguments[1]?.argChoices).toEqual(ArtifactAdded.shape.type.options);
});
