import { readFileSync } from 'node:fs';
import { PACKAGE_ROOT } from './package-root.ts';

const { version }: { version: string } = JSON.parse(readFileSync(new URL('package.json', PACKAGE_ROOT), 'utf8'));

/** The version of this program, as published. */
export const VERSION = version;

/** The remedy when a newer Cairn made something. */
export const UPDATE_HINT =
  'Update cairn: git pull && npm ci && npm run build in its clone, or npm install -g cairn-mcp@latest where it came from npm.';
