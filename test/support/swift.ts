import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AwsV4Signer } from 'aws4fetch';

// Debian's own, which alone finds Debian's packages.
const PYTHON = '/usr/bin/python3';
const PROGRAM = fileURLToPath(new URL('swift-server.py', import.meta.url));

/** True if OpenStack Swift is installed (Debian: python3-swift), an object store with an S3 API. */
export const hasSwift = spawnSync(PYTHON, ['-c', 'import swift']).status === 0;

export const S3_KEYS = Object.freeze({
  region: 'eu-test-1',
  accessKeyId: 'cairn:tester',
  secretAccessKey: 'a-secret-key-for-tests',
});

export type Swift = {
  endpoint: string;
  /** Does what any other client of the service may do. Raises an error for a refusal. */
  request(method: 'PUT' | 'GET' | 'DELETE', path: string, body?: Buffer): Promise<Buffer>;
  stop(): Promise<void>;
};

export async function startSwift(): Promise<Swift> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-swift-'));
  const { region, accessKeyId, secretAccessKey } = S3_KEYS;
  const child = spawn(PYTHON, [PROGRAM, directory, region, accessKeyId, secretAccessKey], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += String(chunk);
  });
  const exited = once(child, 'exit');
  const [port] = await Promise.race([
    once(child.stdout, 'data'),
    exited.then(() => Promise.reject(new Error(`Swift did not start: ${said}`))),
  ]);
  const endpoint = `http://127.0.0.1:${Number(port)}`;
  return {
    endpoint,
    async request(method, path, body) {
      const signer = new AwsV4Signer({ ...S3_KEYS, service: 's3', method, url: `${endpoint}/${path}` });
      const { url, headers } = await signer.sign();
      const answer = await fetch(url, { method, headers, ...(body !== undefined && { body: new Uint8Array(body) }) });
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      return Buffer.from(await answer.arrayBuffer());
    },
    async stop() {
      child.kill('SIGKILL');
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
