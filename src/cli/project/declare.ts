import type { Command } from 'commander';
import { command, examples, JSON_OPTION } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { ListOptions, ProjectOptions } from './projects.ts';

const load = () => import('./projects.ts');

export function addProjectsCommands(program: Command): void {
  program
    .command('use [project]')
    .description('bind this repository to a project; without one, show which it is bound to')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn use web'))
    .action(
      command(async (config, slug: string | undefined, options: JsonOption) =>
        (await import('./use.ts')).runUse(config, slug, options),
      ),
    );
  const project = program.command('project').description('create, change and archive projects');
  project.addHelpText('after', examples('cairn project create web --name "Web shop"', 'cairn project list'));
  project
    .command('create <slug>')
    .description('create a project; refs of its tasks begin with the slug')
    .option('--name <text>', 'what it is called; by default the slug')
    .option('-d, --description <text>', 'goal, stack, conventions; - reads standard input')
    .option('--rules <file>', 'a file of JSON with its scope, gates and triggers')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn project create web --name "Web shop"'))
    .action(
      command(async (config, slug: string, options: ProjectOptions) =>
        (await load()).runCreateProject(config, slug, options),
      ),
    );
  project
    .command('edit [slug]')
    .description('change a project, its description in an editor where no option says what')
    .option('--name <text>', 'a new name')
    .option('-d, --description <text>', 'a new description; - reads standard input')
    .option('--rules <file>', 'a file of JSON in place of all its rules')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn project edit web --rules rules.json'))
    .action(
      command(async (config, slug: string | undefined, options: ProjectOptions) =>
        (await load()).runEditProject(config, slug, options),
      ),
    );
  project
    .command('list')
    .description('list projects')
    .option('--all', 'also archived ones')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn project list --all'))
    .action(command(async (config, options: ListOptions) => (await load()).runListProjects(config, options)));
  addArchiving(project);
}

function addArchiving(project: Command): void {
  project
    .command('archive <slug>')
    .description('put a project out of the way; it stays readable')
    .option('--reason <text>', 'why; it stays on the record')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn project archive web --reason "Sold."'))
    .action(
      command(async (config, slug: string, options: JsonOption & { reason?: string }) =>
        (await load()).runArchiveProject(config, slug, options),
      ),
    );
  project
    .command('unarchive <slug>')
    .description('take an archived project back')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn project unarchive web'))
    .action(
      command(async (config, slug: string, options: JsonOption) =>
        (await load()).runUnarchiveProject(config, slug, options),
      ),
    );
}
