import { describe, expect, test } from 'vitest';
import { onWindows } from '../../src/runner/windows-script.ts';

const NPM = 'C:\\Program Files\\npm';
const cwd = 'C:\\shop';
const env = { Path: `C:\\Windows;${NPM}`, COMSPEC: 'C:\\Windows\\cmd.exe' };

/** A system with these files. */
function windows(files: Record<string, string>) {
  return {
    exists: (path: string) => path in files,
    read: (path: string) => files[path] ?? '',
  };
}

const shim = (target: string) =>
  [
    '@ECHO off',
    'SETLOCAL',
    'CALL :find_dp0',
    'IF EXIST "%dp0%\\node.exe" (SET "_prog=%dp0%\\node.exe") ELSE (SET "_prog=node")',
    `endLocal & goto #_undefined_# 2>NUL || title %COMSPEC% & "%_prog%"  "%dp0%\\${target}" %*`,
  ].join('\r\n');

describe('on Windows', () => {
  test('a script of npm is passed over for the file that it starts', () => {
    const target = `${NPM}\\node_modules\\codex\\bin\\codex.js`;
    const files = windows({ [`${NPM}\\codex.cmd`]: shim('node_modules\\codex\\bin\\codex.js'), [target]: '' });

    expect(onWindows({ command: 'codex', args: ['a b', '%PATH%"&x'], cwd, env }, files)).toEqual({
      command: 'node.exe',
      args: [target, 'a b', '%PATH%"&x'],
    });
  });

  test('such a script runs with the node.exe beside it, and starts a program itself', () => {
    const files = windows({
      [`${NPM}\\codex.cmd`]: shim('node_modules\\codex.mjs'),
      [`${NPM}\\node_modules\\codex.mjs`]: '',
      [`${NPM}\\node.exe`]: '',
      [`${NPM}\\claude.cmd`]: '@"%~dp0\\node_modules\\claude\\claude.exe"   %*',
      [`${NPM}\\node_modules\\claude\\claude.exe`]: '',
    });

    expect(onWindows({ command: 'codex', args: [], cwd, env }, files).command).toBe(`${NPM}\\node.exe`);
    expect(onWindows({ command: `${NPM}\\claude`, args: ['-p'], cwd, env }, files)).toEqual({
      command: `${NPM}\\node_modules\\claude\\claude.exe`,
      args: ['-p'],
    });
  });

  test('another script is given to the shell, with nothing left for it to interpret', () => {
    const files = windows({ 'C:\\my tools\\review.bat': 'echo %*' });

    const started = onWindows(
      { command: 'C:\\my tools\\review.bat', args: ['a "b" c\\', '%PATH% & del'], cwd, env },
      files,
    );

    expect(started).toEqual({
      command: 'C:\\Windows\\cmd.exe',
      args: [
        '/d',
        '/s',
        '/c',
        '"C:\\my^ tools\\review.bat ' + '^^^"a^^^ \\^^^"b\\^^^"^^^ c\\\\^^^" ' + '^^^"^^^%PATH^^^%^^^ ^^^&^^^ del^^^""',
      ],
      verbatim: true,
    });
  });

  test('a program is found where PATH says, and one that is not there keeps its name', () => {
    const files = windows({ [`${NPM}\\heron.exe`]: '' });

    expect(onWindows({ command: 'heron', args: ['x'], cwd, env }, files)).toEqual({
      command: `${NPM}\\heron.exe`,
      args: ['x'],
    });
    expect(onWindows({ command: '.\\heron', args: [], cwd: NPM, env }, files).command).toBe(`${NPM}\\heron.exe`);
    expect(onWindows({ command: 'ibis', args: [], cwd, env }, files)).toEqual({ command: 'ibis', args: [] });
  });
});
