import { randomUUID } from 'node:crypto';
import type { Reply } from './reply.ts';

type Bucket = { public: boolean; file_size_limit: number | null; files: Map<string, Buffer> };
type StorageRequest = {
  method: string;
  path: string;
  upsert: boolean;
  bytes: Buffer;
  role: string;
  /** That of a signed URL. */
  token: string | null;
};

/** The part of Supabase Storage for files that are written once: a bucket's details, upload, download, list, sign. */
export type Storage = {
  buckets: Map<string, Bucket>;
  createBucket(name: string, options?: Partial<Bucket>): Bucket;
  handle(request: StorageRequest): Reply;
};

// https://supabase.com/docs/guides/storage/debugging/error-codes: but for failures of its own the server answers 400,
// and says the true status in the body. Without a policy only the server's role sees buckets and files.
export function createStorage(): Storage {
  const buckets = new Map<string, Bucket>();
  const signed = new Map<string, { path: string; expires: number }>();

  function upload({ upsert, bytes, role }: StorageRequest, name: string, key: string): Reply {
    const bucket = buckets.get(name);
    if (bucket === undefined) return NO_BUCKET;
    if (role !== 'service_role') return refusal(403, 'AccessDenied', 'new row violates row-level security policy');
    if (bucket.file_size_limit !== null && bytes.length > bucket.file_size_limit) {
      return refusal(413, 'EntityTooLarge', 'The object exceeded the maximum allowed size');
    }
    if (bucket.files.has(key) && !upsert) return refusal(409, 'KeyAlreadyExists', 'The resource already exists');
    bucket.files.set(key, bytes);
    return { status: 200, body: { Id: key, Key: `${name}/${key}` } };
  }

  function download({ role }: StorageRequest, name: string, key: string): Reply {
    const bucket = role === 'service_role' ? buckets.get(name) : undefined;
    if (bucket === undefined) return NO_BUCKET;
    const body = bucket.files.get(key);
    if (body === undefined) return refusal(404, 'NoSuchKey', 'Object not found');
    return { status: 200, headers: { 'content-type': 'application/octet-stream' }, body };
  }

  function sign(request: StorageRequest, name: string, key: string): Reply {
    const found = download(request, name, key);
    if (found.status !== 200) return found;
    const { expiresIn } = JSON.parse(String(request.bytes)) as { expiresIn: number };
    const token = randomUUID();
    signed.set(token, { path: `${name}/${key}`, expires: Date.now() + expiresIn * 1_000 });
    return { status: 200, body: { signedURL: `/object/sign/${name}/${key}?token=${token}` } };
  }

  function downloadSigned(request: StorageRequest, name: string, key: string): Reply {
    const grant = signed.get(request.token ?? '');
    if (grant?.path !== `${name}/${key}`) return refusal(400, 'InvalidJWT', 'Invalid Compact JWS');
    if (grant.expires < Date.now()) return refusal(400, 'InvalidJWT', '"exp" claim timestamp check failed');
    return download({ ...request, role: 'service_role' }, name, key);
  }

  function list({ role }: StorageRequest, name: string): Reply {
    const files = (role === 'service_role' && buckets.get(name)?.files) || new Map<string, Buffer>();
    return { status: 200, body: [...files].map(([key, { length }]) => ({ name: key, metadata: { size: length } })) };
  }

  function details({ role }: StorageRequest, id: string): Reply {
    const bucket = role === 'service_role' ? buckets.get(id) : undefined;
    if (bucket === undefined) return NO_BUCKET;
    const { files: _, ...rest } = bucket;
    return { status: 200, body: { id, name: id, ...rest } };
  }

  return {
    buckets,
    createBucket(name, options = {}) {
      const bucket = { public: false, file_size_limit: null, files: new Map<string, Buffer>(), ...options };
      buckets.set(name, bucket);
      return bucket;
    },
    handle(request) {
      const [kind = '', name = '', ...rest] = request.path.split('/');
      const route = `${request.method} ${kind}`;
      if (route === 'GET bucket') return details(request, name);
      const [bucket = '', ...key] = rest;
      if (route === 'POST object' && name === 'sign') return sign(request, bucket, key.join('/'));
      if (route === 'GET object' && name === 'sign') return downloadSigned(request, bucket, key.join('/'));
      if (route === 'POST object' && name === 'list') return list(request, rest.join('/'));
      if (route === 'POST object') return upload(request, name, rest.join('/'));
      if (route === 'GET object') return download(request, name, rest.join('/'));
      return refusal(404, 'NoSuchRoute', `Route ${request.method}:/${request.path} not found`);
    },
  };
}

function refusal(status: number, code: string, message: string): Reply {
  return { status: 400, body: { statusCode: String(status), code, error: code, message } };
}

const NO_BUCKET = refusal(404, 'NoSuchBucket', 'Bucket not found');
