import type { Config } from '../../config.ts';
import { toolNamed } from '../../tools/catalog.ts';
import { callTool } from '../../tools/tool.ts';
import { inLocalContext } from '../local-context.ts';
import { type JsonOption, printResult } from '../terminal/output.ts';

/** `cairn resume`: prints exactly what an agent reads when it resumes the project. */
export async function runResume(config: Config, options: JsonOption): Promise<void> {
  const { text, structured } = await inLocalContext(config, (ctx) => callTool(ctx, toolNamed('resume_project'), {}));
  printResult(structured, options, () => [text]);
}
