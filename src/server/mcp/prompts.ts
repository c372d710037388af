import { completable, type GetPromptResult, type McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { suggestRefs } from '../../services/search.ts';
import { line, said } from '../../text.ts';
import type { ServerOptions } from './server-options.ts';

/** Adds prompts for the three things that people ask agents to do. */
export function addPrompts(server: McpServer, serverOptions: ServerOptions): void {
  const named = (kind: 'project' | 'task', description: string) =>
    completable(line(80).describe(description), async (value) =>
      suggestRefs(await serverOptions.contextOf(server), kind, value),
    );
  const project = named('project', 'Slug of the project.').optional();

  server.registerPrompt(
    'start_work',
    {
      title: 'Start work',
      description: 'Resume a project and work on its next task, or on the one named.',
      argsSchema: z.object({
        project,
        task: named('task', 'Ref of the task. Default: the best ready one.').optional(),
      }),
    },
    ({ project: slug, task }) =>
      say(
        `Call resume_project${slug ? ` for project ${slug}` : ''} and read what it says. ` +
          `Then claim ${task ? `task ${task}` : 'the best ready task'} with claim_task and keep its lock_token. ` +
          'Read its acceptance criteria and scope before you change anything. Do the work, record progress and what you find ' +
          'on the way, add artifacts, and complete the task with evidence for each criterion. ' +
          'If you cannot finish it, release it with the reason.',
      ),
  );
  server.registerPrompt(
    'hand_over',
    {
      title: 'Hand over',
      description: 'Leave the project so that another agent can go on without asking.',
      argsSchema: z.object({ project }),
    },
    ({ project: slug }) =>
      say(
        `Hand over your work${slug ? ` on project ${slug}` : ''}. Use list_tasks with mine to see what you hold. Complete what is ` +
          'done, with evidence; release the rest with release_task and say what was tried and what is left. Record open ' +
          'questions and risks with record_event, and choices that others must keep to with record_decision. Last, call ' +
          'save_checkpoint with where things stand, the branch and commit, and what to do first.',
      ),
  );
  server.registerPrompt(
    'plan_project',
    {
      title: 'Plan a project',
      description: 'Turn a goal into tasks with criteria and dependencies.',
      argsSchema: z.object({ goal: said(4_000).describe('What is to be achieved.'), project }),
    },
    ({ goal, project: slug }) =>
      say(
        `Plan this goal as tasks${slug ? ` of project ${slug}` : ''}:\n\n${goal}\n\n` +
          (slug
            ? 'Call resume_project first, so that you do not plan what exists. '
            : 'Use list_projects to find the project, or create_project to start it. ') +
          'Cut the work into tasks that one agent finishes in one sitting. Give each a title that says the outcome, acceptance ' +
          'criteria that can be checked, and the dependencies that it truly has. Show me the plan; when I agree, create it with ' +
          'one call of create_tasks, using keys for dependencies among the new tasks.',
      ),
  );
}

function say(text: string): GetPromptResult {
  return { messages: [{ role: 'user', content: { type: 'text', text } }] };
}
