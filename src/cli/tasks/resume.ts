import type { Config } from '../../config.ts';
import { toolNamed } from '../../tools/catalog.ts';
import { callTool } from '../../tools/tool.ts';
import { asPerson } from '../local-context.ts';
import { answer, type JsonOption } from '../terminal/output.ts';

/** `cairn resume`: what an agent is told that resumes the project, in the same words. */
export async function runResume(config: Config, options: JsonOption): Promise<void> {
  const { text, structured } = await asPerson(config, (ctx) => callTool(ctx, toolNamed('resume_project'), {}));
  answer(structured, options, () => [text]);
}
