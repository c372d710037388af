import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/** Tests that a count of passed ones hides. */
type Report = { retried: string[]; skipped: string[] };

/** Writes down, where CAIRN_TEST_REPORT says, which tests passed at a second try only and which were skipped. */
// biome-ignore lint/style/noDefaultExport: Vitest loads a reporter that is named by its path as this.
export default class implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const report: Report = { retried: [], skipped: [] };
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const name = `${module.relativeModuleId} › ${test.fullName}`;
        const result = test.result();
        if (test.diagnostic()?.flaky) report.retried.push(name);
        if (result.state === 'skipped')
          report.skipped.push(result.note === undefined ? name : `${name}: ${result.note}`);
      }
    }
    if (process.env.CAIRN_TEST_REPORT !== undefined)
      writeFileSync(process.env.CAIRN_TEST_REPORT, JSON.stringify(report));
  }
}
