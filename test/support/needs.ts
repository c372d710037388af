const installed = new Set((process.env.CAIRN_TEST_NEEDS ?? '').split(',').filter((need) => need !== ''));

/**
 * Whether tests must do without something that is beyond node and npm, and are skipped. `.ci/run` names in CAIRN_TEST_NEEDS what it
 * has seen to be there: where that is not found, a skip would hide it.
 */
export function lacks(need: string, isThere: boolean): boolean {
  if (!isThere && installed.has(need)) throw new Error(`${need} is on this machine, and its tests do not find it.`);
  return !isThere;
}
