import { existsSync } from 'node:fs';

/** The directory of the package: the nearest one above this module with a package.json, in src, build or dist. */
export const PACKAGE_ROOT = rootAbove(new URL('./', import.meta.url));

function rootAbove(folder: URL): URL {
  const parent = new URL('../', folder);
  return existsSync(new URL('package.json', folder)) || parent.href === folder.href ? folder : rootAbove(parent);
}
