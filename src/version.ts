import { readFileSync } from 'node:fs';
import { PACKAGE_ROOT } from './package-root.ts';

const { version } = JSON.parse(readFileSync(new URL('package.json', PACKAGE_ROOT), 'utf8')) as {
  version: string;
};

/** The version of this program, as published. */
export const VERSION = version;

/** What to do where something was made by a newer Cairn. */
export const UPDATE_HINT =
  'Update cairn: git pull && npm ci && npm run build in its clone, or npm install -g cairn-mcp@latest where it came from npm.';
