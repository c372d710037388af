import { refusals } from './mutant.ts';

/** Mutants of the refusals to people who manage a workspace. */
export const ACCESS_REFUSALS = Object.freeze([
  ...refusals('access', 'test/contract/limited-tokens.test.ts', [
    {
      within: 'app.refuse_limited',
      find: 'This token is limited to %s.',
      name: 'what concerns more than the project is forbidden, and says why',
    },
  ]),
  ...refusals('access', 'test/engines/walls.test.ts', [
    {
      within: 'app.authenticate_server',
      find: 'Only the server does this.',
      name: 'what is for the server alone is refused to who is signed in',
    },
    {
      within: 'app.authenticate_person',
      find: 'Only the server does this.',
      name: 'what is for the server alone is refused to who is signed in',
    },
  ]),
  ...refusals('access', 'test/remote/access.test.ts', [
    {
      within: 'app.authenticate_person',
      find: 'app.refuse_limited',
      name: 'a personal access token may be limited to a project: its proof holds it there, and who looks after access sees it',
    },
    {
      within: 'app.prove_token',
      find: 'The access token is not valid: it is unknown, expired or revoked.',
      name: 'a personal access token proves its own user within a call, and no other member',
    },
    {
      within: 'public.save_static_client',
      find: 'Another client of this server has that client_id.',
      name: 'the access to another workspace is as if it were not there, whatever an administrator asks',
    },
    {
      within: 'public.create_pat',
      find: 'What the scope admin allows concerns the whole workspace: a',
      name: 'a personal access token may be limited to a project: its proof holds it there, and who looks after access sees it',
    },
  ]),
  ...refusals('access', 'test/core/access-refusals.test.ts', [
    {
      within: 'public.save_client',
      find: 'Only an admin adds a static client.',
      name: 'is refused to add a static client by registering it',
    },
    {
      within: 'app.join_workspace',
      find: 'The invitation was accepted already.',
      name: 'an invitation is accepted once',
    },
    {
      within: 'app.require_role',
      find: '%s needs the role %s in the workspace; you have %s.',
      name: 'Changing an owner is refused to a admin',
    },
    { within: 'public.revoke_access', find: 'Nothing is named to revoke.', name: 'is refused to revoke nothing' },
    { within: 'public.revoke_access', find: 'An id must be a UUID.', name: 'is refused to revoke what has no such id' },
    {
      within: 'public.remove_client',
      find: 'This workspace has added no client of that name.',
      name: 'is refused to remove a client that was not added',
    },
    {
      within: 'public.create_pat',
      find: 'expires is too late: a personal access token lives at most 366 days.',
      name: 'is refused to have a token for longer than a year and a day',
    },
    {
      within: 'public.create_pat',
      find: 'A token with the scope agents:run names the agent that it drives.',
      name: 'is refused to have a token that drives agents and names none',
    },
    {
      within: 'public.create_pat',
      find: 'You have 100 personal access tokens in this workspace, the most there can be.',
      name: 'has at most a hundred personal access tokens',
    },
    {
      within: 'app.require_known_role',
      find: 'There is no role %s.',
      name: 'is refused to make a member what there is not',
    },
    {
      within: 'public.invite_member',
      find: 'An e-mail address must have at most 320 characters.',
      name: 'is refused to invite an address that is too long',
    },
    { within: 'public.set_member', find: 'There is no such member.', name: 'is refused to change who is no member' },
    {
      within: 'public.set_member',
      find: 'The last owner of a workspace can be neither removed nor given a lower role.',
      name: 'is refused to leave no owner',
    },
    {
      within: 'public.rotate_secrets',
      find: 'This workspace has added no client of that name with a secret.',
      name: 'is refused to replace the secret of a client that has none',
    },
  ]),
]);
