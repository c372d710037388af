/** The directory of the package. This module lies as deep as what is made of it, in dist or in build. */
export const PACKAGE_ROOT = new URL('../', import.meta.url);
