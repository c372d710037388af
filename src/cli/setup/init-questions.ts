import { cancel, confirm, intro, isCancel, multiselect, select, text } from '@clack/prompts';
import { CLIENTS, type Client } from '../../clients/catalog.ts';
import { HOOK_HOSTS } from '../../clients/hooks.ts';
import type { Scope, Wanted } from '../../clients/wanted.ts';
import type { Host } from '../../config.ts';
import { ProjectCreated } from '../../events/projects.ts';
import type { JsonOption } from '../terminal/output.ts';

export type InitOptions = JsonOption & {
  client?: string[];
  scope?: Scope;
  hooks?: boolean;
  instructions: boolean;
  binding: boolean;
  followLinks?: true;
  yes?: true;
  dryRun?: true;
  undo?: true;
};

/** Facts that are known before anyone is asked. */
export type Surroundings = { host: Host; repository: string | null; detected: Client[]; project: string };

type Answers = Omit<Wanted, 'repository' | 'hook' | 'server'>;

class Cancelled extends Error {}

/** Asks for what the options leave open; null when the person declines. */
export async function askWanted(around: Surroundings, options: InitOptions): Promise<Answers | null> {
  intro('Cairn: shared memory for your coding agents');
  try {
    return await ask(around, options);
  } catch (error) {
    if (!(error instanceof Cancelled)) throw error;
    cancel('Stopped.');
    return null;
  }
}

export async function askConfirmation(message: string, initialValue = true): Promise<boolean> {
  return (await confirm({ message, initialValue })) === true;
}

async function ask({ repository, detected, project }: Surroundings, options: InitOptions): Promise<Answers> {
  const ids =
    options.client ??
    (await given(
      multiselect({
        message: 'Which clients shall use it?',
        options: CLIENTS.map(({ id, name }) => ({
          value: id,
          label: name,
          ...(detected.some((one) => one.id === id) && { hint: 'found' }),
        })),
        initialValues: detected.map(({ id }) => id),
        required: true,
      }),
    ));
  const clients = CLIENTS.filter(({ id }) => ids.includes(id));
  const scope = options.scope ?? (repository === null ? 'user' : await askScope());
  const binds = options.binding && repository !== null;
  return {
    clients,
    scope,
    project: binds ? await askProject(project) : undefined,
    hooks: options.hooks ?? (clients.some(runsHooks) && (await askHooks())),
    instructions:
      options.instructions &&
      binds &&
      (await given(confirm({ message: 'Add ten lines that teach agents the loop to AGENTS.md or CLAUDE.md?' }))),
  };
}

function askScope(): Promise<Scope> {
  return given(
    select<Scope>({
      message: 'Where?',
      options: [
        { value: 'project', label: 'In this repository', hint: 'committed, for everyone who works on it' },
        { value: 'user', label: 'For you, everywhere', hint: 'in your own settings' },
      ],
    }),
  );
}

function askProject(proposed: string): Promise<string> {
  return given(
    text({
      message: 'The project of this repository',
      initialValue: proposed,
      validate: (slug) => ProjectCreated.shape.slug.safeParse(slug).error?.issues[0]?.message,
    }),
  );
}

function askHooks(): Promise<boolean> {
  return given(
    confirm({ message: 'Hooks: resume at session start, take commands in between, checkpoint at the end?' }),
  );
}

function runsHooks({ id }: Client): boolean {
  return HOOK_HOSTS.some((host) => host.id === id);
}

async function given<T>(question: Promise<T>): Promise<Exclude<T, symbol>> {
  const answer = await question;
  if (isCancel(answer)) throw new Cancelled();
  return answer as Exclude<T, symbol>;
}
