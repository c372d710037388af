// The generateContent API, as Gemini CLI speaks it.
import { jsonAnswer, nextId, type ShownResult, SPENT, textOf, type Wire } from './wire.ts';

type Content = { role?: string; parts?: { functionResponse?: { response?: Answer } }[] };
type Answer = { output?: unknown; error?: unknown };
type Config = { responseMimeType?: string };
type Body = {
  systemInstruction?: unknown;
  contents?: Content[];
  tools?: { functionDeclarations?: { name: string }[] }[];
  generationConfig?: Config;
};

// In between, the client asks a small model who speaks next and which model to take, and wants JSON.
const ASIDE = Object.freeze({
  reasoning: 'none',
  next_speaker: 'user',
  model_choice: 'flash',
  complexity_reasoning: 'none',
  complexity_score: 1,
});

export const gemini: Wire = {
  handles: (path) => path.endsWith('enerateContent'),

  read({ systemInstruction, contents = [], tools = [], generationConfig }: Body) {
    const parts = contents.flatMap(({ parts = [] }) => parts);
    return {
      all: [textOf(systemInstruction), textOf(contents), textOf(tools)].join('\n'),
      opening: textOf(contents.filter(({ role }) => role === 'user').map((content) => content.parts)),
      tools: isAside(generationConfig)
        ? []
        : tools.flatMap(({ functionDeclarations = [] }) => functionDeclarations).map(({ name }) => ({ name })),
      results: parts.flatMap(({ functionResponse }) => (functionResponse ? [resultOf(functionResponse)] : [])),
    };
  },

  answer(response, { calls, say }, { path, body }: { path: string; body: Body }) {
    const isJson = isAside(body.generationConfig);
    const parts =
      isJson || calls.length === 0
        ? [{ text: isJson ? JSON.stringify(ASIDE) : say }]
        : calls.map(({ name, input }) => ({ functionCall: { name, args: input, id: nextId('call') } }));
    const chunk = {
      candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0 }],
      usageMetadata: {
        promptTokenCount: SPENT.fresh + SPENT.cached,
        cachedContentTokenCount: SPENT.cached,
        candidatesTokenCount: SPENT.out,
        totalTokenCount: SPENT.fresh + SPENT.cached + SPENT.out,
      },
      modelVersion: 'stand-in',
    };
    if (!path.includes('stream')) return jsonAnswer(response, chunk);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`data: ${JSON.stringify(chunk)}\r\n\r\n`);
  },

  // Its provider names a day, and no time.
  refuse(response) {
    const quota = { quotaId: 'GenerateRequestsPerDayPerProjectPerModel-FreeTier' };
    const details = [{ '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [quota] }];
    const error = { code: 429, message: 'Quota exceeded for quota metric', status: 'RESOURCE_EXHAUSTED', details };
    jsonAnswer(response, { error }, { status: 429 });
  },
};

function isAside(config: Config | undefined): boolean {
  return config?.responseMimeType === 'application/json';
}

function resultOf({ response = {} }: { response?: Answer }): ShownResult {
  return { text: textOf(response.output ?? response.error ?? response), isError: response.error !== undefined };
}
