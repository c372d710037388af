import type { CallToolResult } from '@modelcontextprotocol/server';
import type { Output } from '../../config.ts';
import type { ToolAnswer } from '../../tools/tool.ts';

/**
 * Tells whether to send data, which only some clients request: a client that gets both shows its model the data, which
 * is twice as long and names no next step; and a tool that declares an output schema must send it.
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
