// What the three model APIs have in common.

/**
 * @typedef {{ name: string, namespace?: string }} ShownTool a tool as the model is given it
 * @typedef {{ text: string, isError: boolean }} ShownResult the answer of a tool as the model is given it
 * @typedef {{ all: string, opening: string, tools: ShownTool[], results: ShownResult[] }} Request `all` is what the model reads, `opening` what a person said first
 * @typedef {{ name: string, namespace?: string, input: object }} Call
 * @typedef {{ calls: Call[], say: string }} Turn what the model does next
 * @typedef {object} Wire
 * @property {(path: string) => boolean} handles
 * @property {(body: any) => Request} read
 * @property {(response: import('node:http').ServerResponse, turn: Turn, asked: { path: string, body: any }) => void} answer
 */

/** The turn of a model that has nothing left to do. @type {Turn} */
export const NOTHING = Object.freeze({ calls: [], say: 'Done.' });

let last = 0;

/** @param {string} kind */
export function nextId(kind) {
  last += 1;
  return `${kind}_${last}`;
}

/** @param {unknown} value */
export function textOf(value) {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '');
}

/** @param {import('node:http').ServerResponse} response @param {object} body */
export function jsonAnswer(response, body, status = 200) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** @param {import('node:http').ServerResponse} response */
export function eventStream(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  return (/** @type {string} */ type, /** @type {object} */ data) =>
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
}
