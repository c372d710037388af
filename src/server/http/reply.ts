/** Refuses before a server exists to answer: an error of JSON-RPC that names no request. */
export function refusal(status: number, message: string, { code = -32_000, headers = {} } = {}): Response {
  return new Response(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } }), {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  });
}
