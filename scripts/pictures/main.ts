// npm run pictures: plays `cairn demo` and the story of docs/agents.md, and draws what was shown into docs/pictures.
// Times and ids are replaced, so that the same program draws the same pictures.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import { drawAgents } from './agents.ts';
import { drawDemo } from './demo.ts';

const home = mkdtempSync(join(tmpdir(), 'cairn-pictures-'));
try {
  keep('demo', drawDemo());
  keep('agents', await drawAgents(home));
} finally {
  rmSync(home, { recursive: true, force: true });
}

function keep(name: string, picture: string): void {
  const file = fileURLToPath(new URL(`docs/pictures/${name}.svg`, PACKAGE_ROOT));
  writeFileSync(file, picture);
  console.log(`wrote ${file}`);
}
