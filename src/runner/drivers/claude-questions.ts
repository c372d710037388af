import * as z from 'zod';
import type { Answer, Question } from '../driver.ts';
import type { Asked } from './claude-lines.ts';

type Ask = (question: Question) => Promise<Answer | undefined>;
type Reply = { behavior: 'allow'; updatedInput: Record<string, unknown> } | { behavior: 'deny'; message: string };

const REFUSED = 'This was not allowed.';
/** The input of Claude Code's tool AskUserQuestion. */
const Questions = z.object({
  questions: z
    .array(z.object({ question: z.string(), options: z.array(z.object({ label: z.string() })).catch([]) }))
    .min(1),
});

/** Asks what Claude Code wants to know before it uses a tool; undefined when it does not wait for it any more. */
export async function replyTo(asked: Asked, ask: Ask): Promise<Reply | undefined> {
  const { tool_name, input } = asked;
  const questions = tool_name === 'AskUserQuestion' ? Questions.safeParse(input).data?.questions : undefined;
  if (questions === undefined) return permit(asked, ask);
  const answers: Record<string, string> = {};
  for (const { question, options } of questions) {
    const given = await ask({ kind: 'question', title: question, options: options.map(({ label }) => label) });
    if (given === undefined) return undefined;
    const { decision, answer = given.note, note = REFUSED } = given;
    if (decision === 'denied' || answer === undefined) return { behavior: 'deny', message: note };
    answers[question] = answer;
  }
  return { behavior: 'allow', updatedInput: { ...input, answers } };
}

async function permit(asked: Asked, ask: Ask): Promise<Reply | undefined> {
  const { tool_name: tool, input, description, blocked_path, decision_reason } = asked;
  const { command, file_path, url } = input;
  const object = [command, file_path, url, description].find((value) => typeof value === 'string') ?? '';
  const given = await ask({
    kind: 'permission',
    title: `${tool} ${object}`,
    detail: {
      tool,
      input,
      ...(description !== undefined && { description }),
      ...(blocked_path !== undefined && { path: blocked_path }),
      ...(decision_reason !== undefined && { reason: decision_reason }),
    },
  });
  if (given === undefined) return undefined;
  if (given.decision === 'approved') return { behavior: 'allow', updatedInput: input };
  return { behavior: 'deny', message: given.note ?? REFUSED };
}
