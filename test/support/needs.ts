const installed = new Set((process.env.CAIRN_TEST_NEEDS ?? '').split(',').filter((need) => need !== ''));

/**
 * Tells whether tests must do without a program beyond node and npm, and are skipped. `.ci/run` lists in
 * CAIRN_TEST_NEEDS the programs that it has found: if one of them is missing here, a skip would hide that.
 */
export function lacks(need: string, isThere: boolean): boolean {
  if (!isThere && installed.has(need)) throw new Error(`${need} is on this machine, and its tests do not find it.`);
  return !isThere;
}
