import * as z from 'zod';
import type { Answer, Question } from '../driver.ts';
import { NOT_KNOWN } from '../json-rpc.ts';

type Ask = (question: Question) => Promise<Answer | undefined>;
type Asking = {
  ask: Ask;
  /** Tells the agent why, where its protocol has no place for that. */
  explain(note: string): void;
};

const Text = z.string();
const Words = Text.nullish();
const Command = z.object({ command: Words, cwd: Words, reason: Words, networkApprovalContext: z.unknown().optional() });
const Change = z.object({ itemId: Text, reason: Words, grantRoot: Words });
const Permissions = z.object({ permissions: z.record(Text, z.unknown()), cwd: Words, reason: Words });
const Questions = z.object({
  questions: z.array(z.object({ id: Text, question: Text, options: z.array(z.object({ label: Text })).nullish() })),
});
const Form = z.object({
  serverName: Text,
  message: Text.catch(''),
  requestedSchema: z.object({ properties: z.record(Text, z.unknown()).catch({}) }).optional(),
});

/** Asks what `codex app-server` wants to know. Undefined when it does not wait for it any more. */
export async function replyTo(
  { method, params, files }: { method: string; params: unknown; files(item: string): string[] },
  asking: Asking,
): Promise<unknown> {
  switch (method) {
    case 'item/commandExecution/requestApproval': {
      const { command, cwd, reason, networkApprovalContext: network } = Command.parse(params);
      const title = command ?? reason ?? 'Use the network';
      return decide({ kind: 'permission', title, detail: given({ command, cwd, reason, network }) }, asking);
    }
    case 'item/fileChange/requestApproval': {
      const { itemId, reason, grantRoot } = Change.parse(params);
      const paths = files(itemId);
      const title = reason ?? `Edit ${grantRoot ?? paths.join(' ')}`;
      return decide({ kind: 'permission', title, detail: given({ files: paths, reason, root: grantRoot }) }, asking);
    }
    case 'item/permissions/requestApproval': {
      const { permissions, cwd, reason } = Permissions.parse(params);
      const title = reason ?? `More permissions: ${Object.keys(permissions).join(', ')}`;
      const answer = await asking.ask({ kind: 'permission', title, detail: given({ permissions, cwd, reason }) });
      if (answer === undefined) return undefined;
      if (answer.decision === 'denied') explain(answer, asking);
      const asked = Object.entries(permissions).filter(([, wanted]) => wanted !== null);
      return { permissions: answer.decision === 'approved' ? Object.fromEntries(asked) : {}, scope: 'turn' };
    }
    case 'item/tool/requestUserInput':
      return answersTo(Questions.parse(params).questions, asking);
    case 'mcpServer/elicitation/request':
      return fillIn(Form.parse(params), asking);
    default:
      return NOT_KNOWN;
  }
}

async function decide(question: Question, asking: Asking): Promise<unknown> {
  const answer = await asking.ask(question);
  if (answer === undefined) return undefined;
  if (answer.decision === 'approved') return { decision: 'accept' };
  explain(answer, asking);
  return { decision: 'decline' };
}

async function answersTo(questions: z.infer<typeof Questions>['questions'], { ask }: Asking): Promise<unknown> {
  const answers: Record<string, { answers: string[] }> = {};
  for (const { id, question, options } of questions) {
    const labels = options?.map(({ label }) => label);
    const given = await ask({ kind: 'question', title: question, ...(labels && { options: labels }) });
    if (given === undefined) return undefined;
    const { decision, answer, note } = given;
    const words = decision === 'approved' ? (answer ?? note) : note;
    answers[id] = { answers: words === undefined ? [] : [words] };
    // Who refuses one question is not asked the next.
    if (decision === 'denied') break;
  }
  return { answers };
}

/** A server of tools asks: for leave, which has no fields, or for one field, which takes the answer. */
async function fillIn(
  { serverName, message, requestedSchema }: z.infer<typeof Form>,
  asking: Asking,
): Promise<unknown> {
  const [field, ...others] = Object.keys(requestedSchema?.properties ?? {});
  if (requestedSchema === undefined || others.length > 0) return { action: 'decline', content: null, _meta: null };
  const kind = field === undefined ? 'permission' : 'question';
  const given = await asking.ask({ kind, title: message || serverName, detail: { server: serverName } });
  if (given === undefined) return undefined;
  const { decision, answer = given.note } = given;
  if (decision === 'approved' && (field === undefined || answer !== undefined)) {
    return { action: 'accept', content: field === undefined ? {} : { [field]: answer }, _meta: null };
  }
  explain(given, asking);
  return { action: 'decline', content: null, _meta: null };
}

function explain({ note }: Answer, { explain: tell }: Asking): void {
  if (note !== undefined) tell(note);
}

function given(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}
