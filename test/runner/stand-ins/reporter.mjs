// Reports over OTLP what is in a file of {signal, body}, as the agent does whose settings it is given, and ends.
import { readFileSync } from 'node:fs';
import { argv, env, exit } from 'node:process';

const [, , file, ...more] = argv;
const codex = more.join(' ').match(/endpoint="([^"]*)"/)?.[1];
const { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: logs, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces } = env;
const of = (signal) => ({ logs, traces })[signal] ?? `${env.GEMINI_TELEMETRY_OTLP_ENDPOINT}/v1/${signal}`;

for (const { signal, body } of JSON.parse(readFileSync(file, 'utf8'))) {
  const url = codex ?? of(signal);
  const headers = { 'content-type': 'application/json' };
  const { status } = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (status !== 200) {
    console.error(`${signal}: ${status}`);
    exit(1);
  }
}
console.log('Reported.');
