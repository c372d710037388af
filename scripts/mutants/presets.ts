import { refusals } from './mutant.ts';

const PROFILES_SUITE = 'test/core/profiles.test.ts';
const PRESETS_SUITE = 'test/core/presets.test.ts';
const TEMPLATES_SUITE = 'test/core/preset-templates.test.ts';

/** Mutants of the refusals of presets and profiles. */
export const PRESETS = Object.freeze([
  ...refusals('core', PROFILES_SUITE, [
    {
      within: 'app.guard_profile',
      find: 'app.refuse_agent',
      name: 'the default is set, changed and taken away by a person, and by no agent',
    },
    {
      within: 'app.guard_profile',
      find: 'The profile %s was removed.',
      name: 'a profile that was removed takes no change',
    },
    {
      within: 'app.guard_profile',
      find: 'There is a profile %s.',
      name: 'a profile has a name that no other one has, in any case, until it is removed',
    },
    {
      within: 'app.guard_profile',
      find: 'The profile %s is the default.',
      name: 'the default is one: a second is refused',
    },
    {
      within: 'app.find_profile',
      find: 'There is no profile %s in this workspace.',
      name: 'a profile is found by its id or name in SQL, or refused',
    },
  ]),
  ...refusals('core', PRESETS_SUITE, [
    {
      within: 'app.guard_profile',
      find: 'app.refuse_limited',
      name: 'neither is changed by a token that is limited to a project',
    },
    {
      within: 'app.guard_preset',
      find: 'app.refuse_limited',
      name: 'neither is changed by a token that is limited to a project',
    },
    {
      within: 'app.guard_preset',
      find: 'The preset %s was removed.',
      name: 'a preset that was removed takes no change',
    },
    {
      within: 'app.guard_preset',
      find: "The preset %s is another person''s.",
      name: 'a preset of another person is found after the own, and changed by an admin alone',
    },
    {
      within: 'app.check_variables',
      find: 'variables must be a list of at most 32, each {name, description, default?}, and each name once.',
      name: 'a preset with variables of which one has a name that is none is refused',
    },
    {
      within: 'app.guard_preset',
      find: 'The content has {{%s}}, which is not declared.',
      name: 'a preset whose content has {{when}} undeclared is refused, by what names it',
    },
    {
      within: 'app.guard_preset',
      find: 'You have a preset %s.',
      name: 'a preset has a name that its owner gave to no other, in any case, until it is removed',
    },
  ]),
  ...refusals('core', TEMPLATES_SUITE, [
    {
      within: 'app.find_preset',
      find: 'There is no preset %s in this workspace.',
      name: 'a template of a preset that there is not is refused',
    },
    {
      within: 'app.fill_preset',
      find: 'The preset %s has no variable %s.',
      name: 'a template with a value for what it has not is refused, by what it takes',
    },
    {
      within: 'app.fill_preset',
      find: 'The preset %s needs a value for %s.',
      name: 'a template without a value that it needs is refused, by what it needs and takes',
    },
  ]),
]);
