/**
 * The commands that a person alone gives: in an agent's shell each is refused before it begins. All others act there as
 * the agent of the shell, and the database decides what it may. `approve`, `approvals approve`, `deny` and `answer`, and
 * who reviews a task, need a terminal as well: `requirePerson`.
 */
export const FOR_PEOPLE: ReadonlySet<string> = new Set([
  // Access: who else may act, and as whom.
  'auth owner set-password',
  'auth owner login-link',
  'auth revoke',
  'auth clients block',
  'auth clients unblock',
  'auth clients add',
  'auth clients rm',
  'auth pat create',
  'auth pat revoke',
  'auth invite',
  'auth members set',
  'auth members rm',
  'auth secrets rotate',
  'auth gc',
  // What agents ask a person.
  'answer',
  // The bounds of what agents do.
  'output-quota',
  'profiles save',
  'profiles remove',
  // The log as a whole, in which events are those of others.
  'events replay',
  'events archive',
  'events import',
  // What runs by itself, with the rights of the program.
  'jobs run',
  'jobs pause',
  'jobs resume',
  'jobs set',
]);
