// npm run fuzz: malformed requests to /mcp, to each OAuth endpoint and to each page of `cairn serve`, and what became
// of the server.
//
//   npm run fuzz             10,000 to each
//   npm run fuzz -- 1000     so many
import { spawn } from 'node:child_process';
import { argv, env, execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../src/package-root.ts';

const VITEST = fileURLToPath(new URL('node_modules/vitest/vitest.mjs', PACKAGE_ROOT));
const SUITES = ['test/remote/oauth-fuzz.test.ts', 'test/remote/http-fuzz.test.ts'];

const [runs = '10000'] = argv.slice(2);
// One suite after the other: each has the machine, and its figures, to itself.
const options = ['--no-file-parallelism', '--reporter=verbose'];
const vitest = spawn(execPath, [VITEST, 'run', ...SUITES, ...options], {
  env: { ...env, CAIRN_FUZZ_RUNS: runs },
  stdio: 'inherit',
});
vitest.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
