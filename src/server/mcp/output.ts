import type { CallToolResult } from '@modelcontextprotocol/server';
import type { Output } from '../../config.ts';
import type { ToolAnswer } from '../../tools/tool.ts';

/**
 * Data is sent where it is asked for: clients that get both show their model the data, which is twice as long and does not say what to do
 * next; and a tool that declares the shape of its data has to send it.
 */
export function givesData(output: Output): boolean {
  return output !== 'text';
}

export function resultOf({ text, structured, notices }: ToolAnswer, output: Output): CallToolResult {
  const shown = output === 'json' ? [JSON.stringify(structured), ...notices] : [text];
  return {
    content: shown.map((part) => ({ type: 'text', text: part })),
    ...(givesData(output) && { structuredContent: structured }),
  };
}
