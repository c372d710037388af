import { describe, expect, test } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { createLog } from '../../src/log.ts';
import type { Started } from '../../src/runner/active-run.ts';
import { StepSender } from '../../src/runner/step-sender.ts';
import type { Attributes, Reported } from '../../src/telemetry/otlp.ts';
import { anyDialect } from '../../src/telemetry/programs.ts';
import { StepTree } from '../../src/telemetry/tree.ts';

const AT = Date.parse('2026-11-27T09:00:00Z');
/** Of a prompt, of arguments, or of what a tool answered. */
const SAID = 'The secret word is heron.';

const record = (name: string, attributes: Attributes): Reported => ({
  name,
  startedAt: AT,
  attributes,
  resource: {},
});
const span = (name: string, attributes: Attributes): Reported => ({
  ...record(name, attributes),
  ...{ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), endedAt: AT + 10, error: SAID },
});

const FAILED: [what: string, reported: Reported, error: string][] = [
  [
    'a call of Claude Code',
    record('claude_code.tool_result', {
      ...{ tool_name: 'Bash', tool_use_id: 'c', success: 'false', error: SAID, error_type: 'ShellError' },
      ...{ tool_input: SAID, tool_parameters: SAID },
    }),
    'It failed: ShellError.',
  ],
  [
    'a request of Claude Code',
    record('claude_code.api_error', { error: SAID, status_code: '529', request_id: 'r' }),
    'It was answered with 529.',
  ],
  ['a span of Claude Code', span('claude_code.tool', { tool_name: 'Bash', full_command: SAID }), 'It failed.'],
  [
    'a call of Codex',
    record('codex.tool_result', { tool_name: 'exec', call_id: 'c', success: 'false', output: SAID, arguments: SAID }),
    'It failed.',
  ],
  [
    'a command of Codex',
    record('codex.tool_result', { tool_name: 'exec', call_id: 'c', output: `Process exited with code 3\n${SAID}` }),
    'It ended with code 3.',
  ],
  [
    'a call of Gemini CLI',
    record('gemini_cli.tool_call', {
      ...{ function_name: 'read_file', success: false, function_args: SAID },
      ...{ 'error.message': SAID, error: SAID, error_type: 'file_not_found' },
    }),
    'It failed: file_not_found.',
  ],
  [
    'a request of Gemini CLI',
    record('gemini_cli.api_error', { 'error.message': SAID, error_type: SAID, status_code: 200 }),
    'It failed.',
  ],
  [
    'a call of any other',
    span('execute_tool x', {
      'gen_ai.tool.call.arguments': SAID,
      'gen_ai.tool.call.result': SAID,
      'error.type': '500',
    }),
    'It failed.',
  ],
];

/** What leaves the machine of the agent. */
async function sentOf(reported: Reported, keeps_content?: true) {
  const run = newId();
  const sent: unknown[] = [];
  const sender = new StepSender({
    port: {
      async steps(_, given) {
        sent.push(...given.steps);
        return { stored: 1 };
      },
    },
    log: createLog('silent'),
    stored: () => {},
    refused: () => {},
  });
  sender.know({ run: { id: run }, lock_token: 1, keeps_content } as Started);
  const { steps, links } = new StepTree(anyDialect).add([reported], () => run).get(run) ?? {
    steps: [],
    links: [],
  };
  sender.add({ id: 1, run, steps, links });
  await sender.end(1_000);
  return sent;
}

describe('what was said', () => {
  test.for(FAILED)('is in no word of a step that is sent, also where it failed: %s', async ([, reported, error]) => {
    const sent = await sentOf(reported);

    expect(sent).toMatchObject([{ status: 'failed', error }]);
    expect(JSON.stringify(sent)).not.toContain('heron');
  });

  test.for(FAILED)('goes with the step where the project keeps it: %s', async ([, reported, error]) => {
    const sent = await sentOf(reported, true);

    expect(sent).toMatchObject([{ status: 'failed', error }]);
    expect(JSON.stringify(sent)).toContain('heron');
  });
});
