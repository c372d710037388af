import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cairn } from '../support/cairn.ts';
import { freePort } from '../support/free-port.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { openOwnerBrowser } from '../support/owner-browser.ts';
import { type Serving, startServing } from '../support/serve.ts';

const PACKAGE = 'mcp-remote@0.15.1';
const FETCH_MS = 90_000;
const isThere = await canFetch();

/** Fetches it beforehand: what a client waits for is then the server alone. */
async function canFetch(): Promise<boolean> {
  const child = spawn('npm', ['exec', '--yes', `--package=${PACKAGE}`, '--', 'node', '--version'], {
    stdio: 'ignore',
    shell: process.platform === 'win32',
    timeout: FETCH_MS,
  });
  const [code] = await once(child, 'exit');
  return code === 0;
}

describe.skipIf(!isThere)(`mcp-remote${isThere ? '' : ' (skipped: npm cannot fetch it)'}`, () => {
  let world: LocalWorld;
  let serving: Serving;
  let home: string;

  beforeAll(async () => {
    world = await openLocalWorld();
    home = await mkdtemp(join(tmpdir(), 'mcp-remote-'));
    serving = await startServing(['--data-dir', world.dataDir, '--port', `${await freePort()}`, '--auth']);
  });
  afterAll(async () => {
    await serving?.stop();
    await world?.close();
    if (home !== undefined) await rm(home, { recursive: true, force: true });
  });

  test('connects when the owner allows it, and calls tools', { timeout: FETCH_MS }, async () => {
    const link = await cairn(['auth', 'owner', 'login-link', '--data-dir', world.dataDir], {
      env: { CAIRN_PUBLIC_URL: serving.url.origin },
    });
    const owner = await openOwnerBrowser(link.stdout.trim());
    const transport = new StdioClientTransport({
      command: 'npm',
      args: ['exec', '--yes', `--package=${PACKAGE}`, '--', 'mcp-remote', serving.url.href, `${await freePort()}`],
      // With npm's settings, which may be in variables, and without a display: there is no browser that it could open.
      env: {
        ...(process.env as Record<string, string>),
        MCP_REMOTE_CONFIG_DIR: home,
        DISPLAY: '',
        WAYLAND_DISPLAY: '',
      },
      stderr: 'pipe',
    });
    const allowed = (async () => {
      for await (const line of createInterface({ input: transport.stderr as Readable })) {
        if (line.startsWith(`${serving.url.origin}/oauth/authorize?`)) return owner.allow(line);
      }
    })();
    const client = new Client({ name: 'behind-mcp-remote', version: '1.0.0' });

    await client.connect(transport);
    await allowed;
    const created = await client.callTool({ name: 'create_project', arguments: { slug: 'web', name: 'Web' } });
    const { tools } = await client.listTools();
    await client.close();

    expect(created.isError ?? false).toBe(false);
    expect(tools.map(({ name }) => name)).toContain('claim_task');
    expect(await world.rows('select slug from public.projects')).toEqual([{ slug: 'web' }]);
    expect(await world.rows('select client_name from app.oauth_clients')).toEqual([
      { client_name: expect.stringMatching(/mcp/i) },
    ]);
  });
});
