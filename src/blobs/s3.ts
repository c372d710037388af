import { AwsV4Signer } from 'aws4fetch';
import { DomainError, type ErrorCode } from '../errors.ts';
import { REQUEST_MS_MAX, readBody, withRetries } from './requests.ts';
import type { BlobPlace } from './store.ts';

export type S3Bucket = {
  /** Without a slash at the end. */
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
  bucket: string;
  /** Empty, or with a slash at the end. */
  prefix: string;
};

type Asked = {
  method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  name: string;
  headers?: Record<string, string>;
  body?: Buffer;
};

// Enough for the XML of an error.
const ERROR_BYTES_MAX = 65_536;

/** A bucket of any S3-compatible service, in path style, which all of them have. */
export function s3Place(at: S3Bucket, requestMsMax = REQUEST_MS_MAX): BlobPlace {
  const urlOf = (name: string) => `${at.endpoint}/${at.bucket}/${at.prefix}${name}`;
  const keys = new Map<string, ArrayBuffer>();
  const signing = { ...without(at), service: 's3', cache: keys };

  /** Sends a request and returns what `use` makes of the answer; repeats what failed for a moment. */
  function ask<T>({ method, name, headers = {}, body }: Asked, use: (answer: Response) => Promise<T>): Promise<T> {
    return withRetries(async () => {
      const signer = new AwsV4Signer({ ...signing, method, url: urlOf(name), headers });
      const signed = await signer.sign();
      try {
        const signal = AbortSignal.timeout(requestMsMax);
        // A redirect leads to another region, for which the signature is not valid.
        const init: RequestInit = { method, headers: signed.headers, redirect: 'manual', signal };
        return await use(await fetch(signed.url, body === undefined ? init : { ...init, body: new Uint8Array(body) }));
      } catch (cause) {
        throw cause instanceof DomainError ? cause : unreachable(at, cause);
      }
    });
  }

  const isThere = (name: string) =>
    ask({ method: 'HEAD', name }, async (answer) => {
      if (answer.status >= 500 || answer.status === 429) throw await failureOf(answer, at);
      // Anything but a success is explained by the request that follows: an answer to HEAD has no body.
      return answer.ok;
    });

  /** Returns undefined if the service does not know the condition. */
  const put = (name: string, body: Buffer, headers: Record<string, string>) =>
    ask({ method: 'PUT', name, headers, body }, async (answer) => {
      if (answer.status === 412) return discard(answer, false);
      if (answer.status === 501 && 'if-none-match' in headers) return discard(answer, undefined);
      if (!answer.ok) throw await failureOf(answer, at);
      return discard(answer, true);
    });

  return {
    // The condition alone would do where it is known. Some services ignore it, some refuse it.
    async create({ name, sha256, bytes }) {
      if (await isThere(name)) return false;
      // With the hash, the service itself refuses what did not arrive whole.
      const headers = { 'content-type': 'application/octet-stream', 'x-amz-content-sha256': sha256 };
      return (
        (await put(name, bytes, { ...headers, 'if-none-match': '*' })) ?? (await put(name, bytes, headers)) ?? false
      );
    },
    read: (name, bytesMax) =>
      ask({ method: 'GET', name }, async (answer) => {
        if (answer.ok) return readBody(name, answer.body, bytesMax);
        const failure = await failureOf(answer, at);
        if (failure.code === 'not_found') return null;
        throw failure;
      }),
    remove: (name) =>
      ask({ method: 'DELETE', name }, async (answer) => {
        if (!answer.ok && answer.status !== 404) throw await failureOf(answer, at);
        return discard(answer, undefined);
      }),
    async signUrl(name, seconds) {
      const url = `${urlOf(name)}?X-Amz-Expires=${seconds}`;
      const signed = await new AwsV4Signer({ ...signing, method: 'GET', url, signQuery: true }).sign();
      return signed.url.href;
    },
  };
}

/** The settings of the signer alone. */
function without({ region, accessKeyId, secretAccessKey, sessionToken }: S3Bucket) {
  return { region, accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}

/** Frees the connection. */
async function discard<T>(answer: Response, result: T): Promise<T> {
  await answer.body?.cancel();
  return result;
}

function unreachable({ endpoint }: S3Bucket, cause: unknown): DomainError {
  return new DomainError('unavailable', `${new URL(endpoint).host} cannot be reached, or its answer ended early.`, {
    hint: 'Check AWS_ENDPOINT_URL_S3, AWS_REGION and the network, then repeat it.',
    cause,
  });
}

type Meaning = [code: ErrorCode, message: string, hint: string];

/** Explains an error by the code in its XML, else by its status. */
async function failureOf(answer: Response, at: S3Bucket): Promise<DomainError> {
  const xml = await readBody('An error', answer.body, ERROR_BYTES_MAX).catch(() => '');
  const said = /<Code>(\w{1,100})<\/Code>/.exec(String(xml))?.[1] ?? '';
  const { status } = answer;
  const [code, message, hint] = meaningOf(said, status, at);
  // 409: another write of the same name was going on.
  const retryable = status >= 500 || [408, 409, 429].includes(status);
  return new DomainError(code, message, { hint, retryable, cause: new Error(`${status} ${said}`) });
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
function meaningOf(said: string, status: number, { bucket, endpoint, region }: S3Bucket): Meaning {
  const host = new URL(endpoint).host;
  if (said === 'RequestTimeTooSkewed') {
    const hint = 'Set the clock of this machine, then repeat it.';
    return ['forbidden', `${host} refuses the time of this machine: ${new Date().toISOString()}.`, hint];
  }
  if (said === 'AuthorizationHeaderMalformed' || said === 'PermanentRedirect' || (status >= 300 && status < 400)) {
    const hint = 'Set AWS_REGION to the region of the bucket, and AWS_ENDPOINT_URL_S3 to an endpoint of it.';
    return ['invalid_input', `The bucket ${bucket} is not served by ${host} in the region ${region}.`, hint];
  }
  if (said === 'NoSuchBucket') {
    const hint = `Create the private bucket ${bucket} there, or check its name and AWS_ENDPOINT_URL_S3.`;
    return ['unavailable', `There is no bucket ${bucket} at ${host}.`, hint];
  }
  if (said === 'EntityTooLarge' || status === 413) {
    return ['payload_too_large', `The blob is larger than ${host} takes.`, 'Split the content into smaller parts.'];
  }
  if (status === 401 || status === 403) {
    const hint =
      'Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, which expires). ' +
      'Their policy must allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket.';
    return ['forbidden', `${host} refuses access to the bucket ${bucket}${said && ` (${said})`}.`, hint];
  }
  if (status === 404) return ['not_found', `There is no such blob in the bucket ${bucket}.`, 'Put it back.'];
  if (status === 429 || said === 'SlowDown') {
    return ['rate_limited', `${host} asks for fewer calls.`, 'Wait a moment, then repeat it.'];
  }
  if (status >= 500 || status === 408) {
    return ['unavailable', `${host} fails with ${status}.`, 'Repeat it; if it fails again, look at that service.'];
  }
  const hint = 'Check AWS_ENDPOINT_URL_S3 and AWS_REGION: it must be the S3 API of the service.';
  return ['unavailable', `${host} refuses the request with ${status}${said && ` (${said})`}.`, hint];
}
