type Given = { headers: Record<string, string>; body: string | Uint8Array<ArrayBuffer>; signal: AbortSignal };
type Posted = { status: number; text: string; retryAfter: string | undefined };

/** Posts to a server. Follows no redirect: a token goes nowhere else. */
export type Post = (url: URL, given: Given) => Promise<Posted>;

export function posting(proxy: string | undefined): Post {
  return proxy === undefined ? post : postThrough(proxy);
}

const post: Post = async (url, given) => {
  const response = await fetch(url, { ...given, method: 'POST', redirect: 'error' });
  const retryAfter = response.headers.get('retry-after') ?? undefined;
  return { status: response.status, text: await response.text(), retryAfter };
};

/** Through a tunnel of the proxy, which sees the server's name alone. */
function postThrough(proxy: string): Post {
  let opening: ReturnType<typeof open> | undefined;
  return async (url, given) => {
    opening ??= open(proxy);
    const { request, dispatcher } = await opening;
    const { statusCode, headers, body } = await request(url, { ...given, method: 'POST', dispatcher });
    return { status: statusCode, text: await body.text(), retryAfter: [headers['retry-after']].flat()[0] };
  };
}

async function open(proxy: string) {
  const { ProxyAgent, request } = await import('./proxied-request.ts');
  return { request, dispatcher: new ProxyAgent(proxy) };
}
