import { describe, expect, test } from 'vitest';
import { carriedOf, runWords } from '../../src/cli/runner/install-agent.ts';
import { serviceFile } from '../../src/cli/runner/service-file.ts';

const SERVICE = {
  name: 'claude-1',
  words: ['/usr/bin/node', '/opt/my cairn/cli.js', 'agent', 'run', '--type', '100% "a" \\ $HOME', '--', 'claude'],
  cwd: '/home/ada/50% shop',
  env: { PATH: '/usr/bin:/home/ada/my bin', CAIRN_PROJECT: 'a%b' },
};
const host = (platform: NodeJS.Platform) => ({ platform, home: '/home/ada', env: {} });

describe('the service of an agent', () => {
  test('opens the data and the settings of the shell in which it was made, and has no secret of it', () => {
    const where = { PATH: '/bin', XDG_DATA_HOME: '/data', XDG_CONFIG_HOME: '/config', CAIRN_DATA_DIR: '/data/mine' };

    expect(carriedOf({ ...where, CAIRN_CONFIG_DIR: '', CAIRN_TOKEN: 'a', DATABASE_URL: 'b' })).toEqual(where);
  });

  test('is a unit of systemd on Linux', () => {
    const { path, textOf, start, stop } = serviceFile('claude-1', host('linux'));

    expect(path).toBe('/home/ada/.config/systemd/user/cairn-agent-claude-1.service');
    expect(textOf(SERVICE)).toBe(`[Unit]
Description=Cairn drives the agent claude-1

[Service]
WorkingDirectory=/home/ada/50%% shop
Environment="PATH=/usr/bin:/home/ada/my bin"
Environment="CAIRN_PROJECT=a%%b"
ExecStart="/usr/bin/node" "/opt/my cairn/cli.js" "agent" "run" "--type" "100%% \\"a\\" \\\\ $$HOME" "--" "claude"
Restart=on-failure
RestartSec=10
KillMode=process
TimeoutStopSec=45

[Install]
WantedBy=default.target
`);
    expect(start.join('\n')).toContain('systemctl --user enable --now cairn-agent-claude-1\n');
    expect(stop).toEqual(['systemctl', '--user', 'disable', '--now', 'cairn-agent-claude-1']);
  });

  test('is a property list of launchd on macOS', () => {
    const { path, textOf, start, stop } = serviceFile('claude-1', host('darwin'));

    expect(path).toBe('/home/ada/Library/LaunchAgents/cairn.agent.claude-1.plist');
    expect(textOf({ ...SERVICE, words: ['/usr/bin/node', 'a <b> & "c"'] })).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>cairn.agent.claude-1</string>
  <key>ProgramArguments</key>
  <array>
    <string>/usr/bin/node</string>
    <string>a &lt;b&gt; &amp; "c"</string>
  </array>
  <key>WorkingDirectory</key>
  <string>/home/ada/50% shop</string>
  <key>EnvironmentVariables</key>
  <dict>
    <key>PATH</key>
    <string>/usr/bin:/home/ada/my bin</string>
    <key>CAIRN_PROJECT</key>
    <string>a%b</string>
  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ThrottleInterval</key>
  <integer>10</integer>
  <key>AbandonProcessGroup</key>
  <true/>
  <key>ExitTimeOut</key>
  <integer>45</integer>
  <key>StandardOutPath</key>
  <string>/home/ada/Library/Logs/cairn.agent.claude-1.log</string>
  <key>StandardErrorPath</key>
  <string>/home/ada/Library/Logs/cairn.agent.claude-1.log</string>
</dict>
</plist>
`);
    expect(start.join('\n')).toContain('launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/cairn.agent.claude-1');
    expect(stop.slice(0, 2)).toEqual(['launchctl', 'bootout']);
  });

  test('is not there yet on Windows, which is told with another way', () => {
    expect(() => serviceFile('claude-1', host('win32'))).toThrow('Cairn cannot install an agent on Windows yet.');
  });

  test.for(['', '../x', 'a b', '-x', 'a;b', 'x'.repeat(61)])('is never called %j', (name) => {
    expect(() => serviceFile(name, host('linux'))).toThrow('cannot be the name of a service');
  });

  test('runs the agent with all that was said for it', () => {
    const given = ['--data-dir', '/d', 'agent', 'install', '--yes', '--name', 'a', '--json', '--', 'claude', '--yes'];

    expect(runWords(given)).toEqual(['--data-dir', '/d', 'agent', 'run', '--name', 'a', '--', 'claude', '--yes']);
  });
});
