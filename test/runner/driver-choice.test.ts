import { describe, expect, test } from 'vitest';
import { driverOf } from '../../src/runner/drivers/catalog.ts';

describe('the driver of a program', () => {
  test.for([
    ['claude', ['--model', 'x'], 'claude', ['--model', 'x']],
    ['codex', [], 'codex', []],
    ['gemini', ['--yolo'], 'acp', ['--yolo', '--acp']],
    ['gemini', ['--experimental-acp'], 'acp', ['--experimental-acp']],
    ['opencode', ['acp'], 'acp', ['acp']],
    ['claude-code-acp', [], 'acp', []],
    ['review', ['--fast'], 'pipe', ['--fast']],
  ] as const)('%s %j is %s', ([kind, given, driver, args]) => {
    expect(driverOf(kind, given)).toEqual({ driver, args });
  });
});
