import type { Command } from 'commander';
import { command, examples, JSON_OPTION } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { ListOptions, ProjectOptions } from './projects.ts';

const load = () => import('./projects.ts');

export function addProjectsCommands(program: Command): void {
  program
    .command('use [project]')
    .description('bind this repository to a project; without an argument, show its project')
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
    .description('create a project; the refs of its tasks begin with the slug')
    .option('--name <text>', 'its name; by default the slug')
    .option('-d, --description <text>', 'goal, stack, conventions; - reads standard input')
    .option('--rules <file>', 'a JSON file with its scope, gates and triggers')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn project create web --name "Web shop"'))
    .action(
      command(async (config, slug: string, options: ProjectOptions) =>
        (await load()).runCreateProject(config, slug, options),
      ),
    );
  project
    .command('edit [slug]')
    .description('change a project; without options, edit its description in an editor')
    .option('--name <text>', 'a new name')
    .option('-d, --description <text>', 'a new description; - reads standard input')
    .option('--rules <file>', 'a JSON file that replaces all its rules')
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
    .option('--all', 'include archived projects')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn project list --all'))
    .action(command(async (config, options: ListOptions) => (await load()).runListProjects(config, options)));
  addArchiving(project);
}

function addArchiving(project: Command): void {
  project
    .command('archive <slug>')
    .description('archive a project; it stays readable')
    .option('--reason <text>', 'the reason, kept in the log')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn project archive web --reason "Sold."'))
    .action(
      command(async (config, slug: string, options: JsonOption & { reason?: string }) =>
        (await load()).runArchiveProject(config, slug, options),
      ),
    );
  project
    .command('unarchive <slug>')
    .description('make an archived project active again')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn project unarchive web'))
    .action(
      command(async (config, slug: string, options: JsonOption) =>
        (await load()).runUnarchiveProject(config, slug, options),
      ),
    );
}
