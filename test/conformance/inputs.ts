import {
  acceptedContent,
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  type ElicitRequestFormParams,
  type InputRequest,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type McpServer,
  type RequestStateCodec,
  type ServerContext,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import { text } from './content.ts';

type Fields = ElicitRequestFormParams['requestedSchema']['properties'];
type Answer = CallToolResult | InputRequiredResult;
type Run = (request: ServerContext) => Answer | Promise<Answer>;
type State = RequestStateCodec<string>;

const description = 'A fixture of the conformance suite that asks the client.';

/** Adds tools that ask the client for something before they answer. */
export function addInputs(server: McpServer, codec: State): void {
  const tools = { ...asking(), ...withState(codec) };
  for (const [name, run] of Object.entries(tools)) server.registerTool(name, { description }, run);
  server.registerTool(
    'test_sampling',
    { description, inputSchema: z.object({ prompt: z.string() }) },
    ({ prompt }, request) => sampled('reply', request) ?? ask({ reply: sample(prompt) }),
  );
  server.registerTool(
    'test_elicitation',
    { description, inputSchema: z.object({ message: z.string() }) },
    ({ message }, request) => elicited(request, 'User response') ?? ask({ form: form(message, USER) }),
  );
}

function asking(): Record<string, Run> {
  return {
    test_elicitation_sep1034_defaults: (request) =>
      elicited(request, 'Elicitation completed') ?? ask({ form: form('Please check these.', DEFAULTS) }),
    test_elicitation_sep1330_enums: (request) =>
      elicited(request, 'Elicitation completed') ?? ask({ form: form('Please choose.', ENUMS) }),
    test_input_required_result_elicitation: (request) => greeted(request) ?? ask({ user_name: nameForm() }),
    test_streaming_elicitation: (request) => greeted(request) ?? ask({ user_name: nameForm() }),
    test_input_required_result_sampling: (request) =>
      sampled('capital_question', request) ?? ask({ capital_question: sample('What is the capital of France?') }),
    test_missing_capability: (request) => sampled('reply', request) ?? ask({ reply: sample('Are you there?') }),
    test_input_required_result_list_roots({ mcpReq }) {
      const view = inputResponse(mcpReq.inputResponses, 'client_roots');
      if (view.kind !== 'roots') return ask({ client_roots: inputRequired.listRoots() });
      return text(`Roots: ${view.roots.map(({ uri }) => uri).join(', ')}`);
    },
    test_input_required_result_capabilities({ mcpReq }) {
      const envelope: Record<string, unknown> = { ...mcpReq.envelope };
      const declared = Object(envelope[CLIENT_CAPABILITIES_META_KEY]) as Record<string, unknown>;
      return ask({
        ...(declared['sampling'] !== undefined && { reply: sample('Are you there?') }),
        ...(declared['elicitation'] !== undefined && { user_name: nameForm() }),
        ...(declared['roots'] !== undefined && { client_roots: inputRequired.listRoots() }),
      });
    },
  };
}

function withState(codec: State): Record<string, Run> {
  const ok = { ok: { type: 'boolean' } } as const;
  const step = async (inputRequests: Record<string, InputRequest>, state: string) =>
    inputRequired({ inputRequests, requestState: await codec.mint(state) });

  const confirm: Run = ({ mcpReq }) => {
    const answered = acceptedContent(mcpReq.inputResponses, 'confirm') !== undefined;
    if (answered && mcpReq.requestState() === 'asked') return text('state-ok');
    return step({ confirm: form('Please confirm', ok) }, 'asked');
  };
  return {
    test_input_required_result_request_state: confirm,
    test_input_required_result_tampered_state: confirm,
    test_input_required_result_multiple_inputs({ mcpReq: { inputResponses } }) {
      const asked = ['user_name', 'greeting', 'client_roots'];
      if (asked.every((key) => inputResponse(inputResponses, key).kind !== 'missing'))
        return text('All of it is here.');
      const greeting = sample('Generate a greeting', 50);
      return step({ user_name: nameForm(), greeting, client_roots: inputRequired.listRoots() }, 'asked');
    },
    test_input_required_result_multi_round({ mcpReq }) {
      const { inputResponses } = mcpReq;
      const state = mcpReq.requestState();
      const colour = form('Step 2: What is your favorite color?', { color: { type: 'string' } });
      if (state === 'second' && acceptedContent(inputResponses, 'step2')) return text('Both steps are done.');
      if (state === 'first' && acceptedContent(inputResponses, 'step1')) return step({ step2: colour }, 'second');
      return step({ step1: nameForm('Step 1: What is your name?') }, 'first');
    },
  };
}

function ask(inputRequests: Record<string, InputRequest>): InputRequiredResult {
  return inputRequired({ inputRequests });
}

export function form(message: string, properties: Fields): InputRequest {
  const required = Object.keys(properties);
  return inputRequired.elicit({ message, requestedSchema: { type: 'object', properties, required } });
}

function nameForm(message = 'What is your name?'): InputRequest {
  return form(message, { name: { type: 'string' } });
}

function sample(prompt: string, maxTokens = 100): InputRequest {
  return inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: prompt } }],
    maxTokens,
  });
}

function sampled(key: string, { mcpReq }: ServerContext): Answer | undefined {
  const view = inputResponse(mcpReq.inputResponses, key);
  if (view.kind !== 'sampling') return undefined;
  const { content } = view.result;
  const [first] = Array.isArray(content) ? content : [content];
  return text(`LLM response: ${first?.type === 'text' ? first.text : ''}`);
}

function greeted({ mcpReq }: ServerContext): Answer | undefined {
  const given = acceptedContent(mcpReq.inputResponses, 'user_name', z.object({ name: z.string() }));
  return given === undefined ? undefined : text(`Hello, ${given.name}!`);
}

function elicited({ mcpReq }: ServerContext, label: string): Answer | undefined {
  const view = inputResponse(mcpReq.inputResponses, 'form');
  if (view.kind !== 'elicit') return undefined;
  return text(`${label}: action=${view.action}, content=${JSON.stringify(view.content ?? {})}`);
}

const USER: Fields = {
  username: { type: 'string', description: "User's response" },
  email: { type: 'string', description: "User's email address" },
};

const DEFAULTS: Fields = {
  name: { type: 'string', default: 'John Doe' },
  age: { type: 'integer', default: 30 },
  score: { type: 'number', default: 95.5 },
  status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
  verified: { type: 'boolean', default: true },
};

const titled = (words: readonly string[], noun: string) =>
  words.map((word, at) => ({ const: `value${at + 1}`, title: `${word} ${noun}` }));

const ENUMS: Fields = {
  untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
  titledSingle: { type: 'string', oneOf: titled(['First', 'Second', 'Third'], 'Option') },
  legacyEnum: {
    type: 'string',
    enum: ['opt1', 'opt2', 'opt3'],
    enumNames: ['Option One', 'Option Two', 'Option Three'],
  },
  untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
  titledMulti: { type: 'array', items: { anyOf: titled(['First', 'Second', 'Third'], 'Choice') } },
};
