import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import * as z from 'zod';
import { shorten } from '../../quote.ts';

const INPUT_BYTES_MAX = 1_048_576;
const TAIL_BYTES = 65_536;
const WORDS_CHARACTERS_MAX = 1_500;

const Text = z.string().optional().catch(undefined);

/** The fields that we use of the clients' inputs. */
const Told = z.object({
  hook_event_name: z.string().max(60).optional().catch(undefined),
  session_id: z.string().max(200).optional().catch(undefined),
  /** Cursor calls a session so, and tells no directory but these. */
  conversation_id: z.string().max(200).optional().catch(undefined),
  workspace_roots: z.array(z.string()).optional().catch(undefined),
  cwd: Text,
  transcript_path: Text,
  /** Set where the session's own agent does not act. */
  agent_id: Text,
  last_assistant_message: Text,
  prompt_response: Text,
  /** The turn goes on because a hook said so. */
  stop_hook_active: z.boolean().optional().catch(undefined),
  loop_count: z.number().optional().catch(undefined),
  /** Cursor: completed, aborted or error. */
  status: Text,
});

/** What a client tells its hook, whichever client it is. */
const HookInput = Told.transform((told) => ({
  hook_event_name: told.hook_event_name,
  session: told.session_id ?? told.conversation_id,
  cwd: told.cwd || told.workspace_roots?.[0],
  transcript_path: told.transcript_path,
  is_subagent: told.agent_id !== undefined,
  last_words: told.last_assistant_message ?? told.prompt_response,
  goes_on: told.stop_hook_active ?? (told.loop_count ?? 0) > 0,
  status: told.status,
}));
export type HookInput = Partial<z.output<typeof HookInput>>;

const Said = z.object({
  type: z.literal('assistant'),
  message: z.object({ content: z.array(z.looseObject({ type: z.string(), text: z.string().optional() })) }),
});

export async function readInput(input: NodeJS.ReadStream): Promise<HookInput> {
  if (input.isTTY) return {};
  let text = '';
  for await (const chunk of input.setEncoding('utf8')) {
    text += chunk;
    if (text.length > INPUT_BYTES_MAX) return {};
  }
  return text.trim() === '' ? {} : HookInput.parse(JSON.parse(text));
}

/**
 * Returns the agent's last words: from the hook's input, otherwise from the end of the transcript. Empty without
 * either.
 */
export async function lastWords({ last_words: message, transcript_path: file }: HookInput): Promise<string> {
  const words = message ?? (file === undefined ? '' : await lastSaid(file).catch(() => ''));
  return shorten(words.trim(), WORDS_CHARACTERS_MAX);
}

async function lastSaid(file: string): Promise<string> {
  // Does not wait for a pipe's writer; Windows has no such flag.
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const about = await handle.stat();
    if (!about.isFile()) return '';
    const { size } = about;
    const start = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(size - start), position: start });
    const texts = buffer.toString('utf8', 0, bytesRead).split('\n').map(textOf);
    return texts.findLast((text) => text !== '') ?? '';
  } finally {
    await handle.close();
  }
}

/** Returns the text of a transcript's line, if the agent wrote it and it is whole. */
function textOf(line: string): string {
  try {
    const { message } = Said.parse(JSON.parse(line));
    return message.content
      .map(({ text = '' }) => text)
      .join('\n')
      .trim();
  } catch {
    return '';
  }
}
