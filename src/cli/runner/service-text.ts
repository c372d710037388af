/** A program that the system starts when its user signs in, and again after a failure. */
export type Service = {
  name: string;
  /** The program by its path, and its arguments. */
  words: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
};

// Before the agent of a runner that was killed ends by itself.
const AGAIN_SECONDS = 10;
// A runner lets its agent end: asked to, then told to, then killed.
const END_SECONDS = 45;

/** Formats a unit of systemd (systemd.service(5), systemd.exec(5)). */
export function systemdUnit({ name, words, cwd, env }: Service): string {
  return [
    '[Unit]',
    `Description=Cairn drives the agent ${percent(name)}`,
    '',
    '[Service]',
    // It takes the rest of its line as it is, without quotes.
    `WorkingDirectory=${percent(cwd)}`,
    ...Object.entries(env).map(([variable, value]) => `Environment=${unitWord(`${variable}=${value}`)}`),
    `ExecStart=${words.map((word) => unitWord(word).replaceAll('$', '$$$$')).join(' ')}`,
    'Restart=on-failure',
    `RestartSec=${AGAIN_SECONDS}`,
    // The runner itself ends its agent, in order; that of one that was killed is for the next.
    'KillMode=process',
    `TimeoutStopSec=${END_SECONDS}`,
    '',
    '[Install]',
    'WantedBy=default.target',
    '',
  ].join('\n');
}

function unitWord(word: string): string {
  return `"${percent(word).replace(/[\\"]/g, '\\$&')}"`;
}

/** A percent sign begins a specifier. */
function percent(text: string): string {
  return text.replaceAll('%', '%%');
}

/** Formats a property list of launchd (launchd.plist(5)). */
export function launchdPlist({ label, log, service }: { label: string; log: string; service: Service }): string {
  const { words, cwd, env } = service;
  const variables = Object.entries(env).flatMap(([name, value]) => [`<key>${xml(name)}</key>`, string(value)]);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    '<dict>',
    ...indented(['<key>Label</key>', string(label)]),
    ...indented(['<key>ProgramArguments</key>', '<array>', ...indented(words.map(string)), '</array>']),
    ...indented(['<key>WorkingDirectory</key>', string(cwd)]),
    ...indented(['<key>EnvironmentVariables</key>', '<dict>', ...indented(variables), '</dict>']),
    ...indented(['<key>RunAtLoad</key>', '<true/>']),
    ...indented(['<key>KeepAlive</key>', '<dict>', ...indented(['<key>SuccessfulExit</key>', '<false/>']), '</dict>']),
    ...indented(['<key>ThrottleInterval</key>', `<integer>${AGAIN_SECONDS}</integer>`]),
    ...indented(['<key>AbandonProcessGroup</key>', '<true/>']),
    ...indented(['<key>ExitTimeOut</key>', `<integer>${END_SECONDS}</integer>`]),
    ...indented(['<key>StandardOutPath</key>', string(log), '<key>StandardErrorPath</key>', string(log)]),
    '</dict>',
    '</plist>',
    '',
  ].join('\n');
}

function string(text: string): string {
  return `<string>${xml(text)}</string>`;
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
