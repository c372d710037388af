import { refusals } from './mutant.ts';

/** Mutants of the refusals of a project, and of writes in it. */
export const PROJECTS = Object.freeze([
  ...refusals('core', 'test/core/texts.test.ts', [
    {
      within: 'app.check_project_version',
      find: 'has this already: say on which version',
      name: 'the rules of a project are not replaced blindly',
    },
  ]),
  ...refusals('core', 'test/core/projects.test.ts', [
    {
      within: 'app.guard_project',
      find: '%s is not a slug.',
      name: 'a project with a slug that is none, is refused with invalid_input',
    },
    {
      within: 'app.guard_project',
      find: 'The project %s exists.',
      name: 'a project with a slug that is taken, is refused with already_exists',
    },
    {
      within: 'app.guard_project',
      find: 'There is no such project in this workspace.',
      name: 'a project that there is not, is refused with not_found',
    },
    {
      within: 'app.guard_project',
      find: 'The project %s is archived.',
      name: 'a project that is archived takes no change',
    },
    {
      within: 'app.guard_project',
      find: 'The project %s is not archived.',
      name: 'a project that is not archived, to be taken back, is refused with illegal_transition',
    },
    {
      within: 'app.refuse_archived',
      find: 'The project %s is archived.',
      name: 'a project that is archived takes no note on a task',
    },
    {
      within: 'app.guard_task',
      find: 'app.refuse_archived',
      name: 'a project that is archived takes no note on a task',
    },
    { within: 'public.claim_task', find: 'app.refuse_archived', name: 'takes no claim where nothing is ready' },
    { within: 'app.write_apply', find: 'app.refuse_archived', name: 'a project that is archived takes no decision' },
  ]),
  ...refusals('core', 'test/core/artifacts.test.ts', [
    {
      within: 'app.guard_artifact',
      find: '%s of the files are outside the scope of %s: %s.',
      name: 'an artifact with files outside the scope of its task is refused',
    },
    {
      within: 'app.guard_artifact',
      find: 'The diff has %s files and %s lines; %s allows %s files',
      name: 'an artifact with more files than its task allows is refused',
    },
  ]),
  ...refusals('core', 'test/core/decisions.test.ts', [
    {
      within: 'app.guard_decision',
      find: 'There is no decision %s in this project.',
      name: 'a decision of another project is not superseded',
    },
    {
      within: 'app.guard_decision',
      find: 'The decision "%s" is superseded already.',
      name: 'a decision is superseded once',
    },
  ]),
  ...refusals('core', 'test/core/checkpoints.test.ts', [
    {
      within: 'app.find_checkpoint',
      find: 'There is no checkpoint %s in this workspace.',
      name: 'a checkpoint that there is not is not found, nor that of another workspace',
    },
  ]),
  ...refusals('core', 'test/core/alerts.test.ts', [
    {
      within: 'app.guard_alert',
      find: 'The alert "%s" is resolved.',
      name: 'an alert that is resolved stays so, and a new one is raised when its cause comes back',
    },
  ]),
  ...refusals('core', 'test/core/sessions.test.ts', [
    {
      within: 'app.check_stream',
      find: 'There is no %s %s in this workspace.',
      name: 'the session of an agent that nobody saved is not replaced, nor that of another workspace',
    },
    {
      within: 'app.check_stream',
      find: 'The %s %s exists.',
      name: 'the session of an agent is not saved a second time under its id',
    },
  ]),
]);
