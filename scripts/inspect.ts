// The official Inspector's command line against the real server: lists the tools strictly in both protocol eras, then
// plans and claims a task. Exits 1 if any call fails. The Inspector comes through npm, as its dependencies are not
// ours.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../src/package-root.ts';

const CLI = fileURLToPath(new URL('dist/cli.js', PACKAGE_ROOT));
const dataDir = mkdtempSync(join(tmpdir(), 'cairn-inspect-'));
const windows = process.platform === 'win32';

type Result = { tools: unknown[]; content: { text: string }[] };

function inspect(...args: string[]): { result: Partial<Result>; stderr: string } {
  const command = ['exec', '--yes', '--package=@modelcontextprotocol/inspector@2.12.0', '--', 'mcp-inspector', '--cli'];
  const server = [process.execPath, CLI, '-e', `CAIRN_DATA_DIR=${dataDir}`, '-e', 'CAIRN_LOG_LEVEL=error'];
  const { status, stdout, stderr } = spawnSync('npm', [...command, ...server, ...args, '--format', 'json'], {
    encoding: 'utf8',
    shell: windows,
    env: { ...process.env, MCP_CATALOG_PATH: join(dataDir, 'catalog.json') },
  });
  if (status !== 0) throw new Error(`inspector ${args.join(' ')} exited ${status}\n${stdout}\n${stderr}`);
  return { ...(JSON.parse(stdout) as { result: Partial<Result> }), stderr };
}

function call(tool: string, input: object): Partial<Result> {
  return inspect('--method', 'tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(input)).result;
}

try {
  for (const era of ['legacy', 'modern']) {
    const { result, stderr } = inspect('--protocol-era', era, '--method', 'tools/list', '--strict');
    const verdict = /\d+ errors?, \d+ warnings?.*/.exec(stderr)?.[0] ?? '0 errors, 0 warnings';
    console.log(`tools/list --strict, ${era}: ${result.tools?.length} tools, ${verdict}`);
  }
  call('create_project', { slug: 'web', name: 'Web' });
  call('create_tasks', { tasks: [{ title: 'Write the docs' }] });
  console.log(`claim_task: ${call('claim_task', {}).content?.[0]?.text.split('\n')[0]}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  spawnSync(process.execPath, [CLI, 'db', 'stop'], { env: { ...process.env, CAIRN_DATA_DIR: dataDir } });
  rmSync(dataDir, { recursive: true, force: true });
}
