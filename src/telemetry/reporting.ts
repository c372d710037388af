import { variablesOfClaude } from './claude-settings.ts';
import { claude } from './dialects/claude.ts';
import { codex } from './dialects/codex.ts';
import { gemini } from './dialects/gemini.ts';
import type { Dialect } from './step.ts';

/** How an agent is told to report, and how its reports are read. */
export type Reporting = {
  dialect: Dialect;
  /** What its process needs to report to a server of OTLP/HTTP; undefined where it reports to another already. */
  settings(url: string, program: Started): { env: Record<string, string>; args: string[] } | undefined;
};
type Started = { env: NodeJS.ProcessEnv; cwd: string };

/**
 * Variables that say whether and where a program reports. Where one is set, what is said here may go to the server that
 * it names, prompts and all.
 */
const ELSEWHERE =
  /^(OTEL_EXPORTER_OTLP_|OTEL_(LOGS|TRACES|METRICS)_EXPORTER$|GEMINI_TELEMETRY_)|^CLAUDE_CODE_ENABLE_TELEMETRY$/;

const SOON_MS = '1000';

/** By the type of an agent; others report nothing that could be read. */
export const REPORTING: Readonly<Record<string, Reporting>> = Object.freeze({
  claude: {
    dialect: claude,
    settings(url, { env, cwd }) {
      if (reportsElsewhere([...namesIn(env), ...variablesOfClaude(cwd, env)])) return undefined;
      return {
        args: [],
        env: {
          CLAUDE_CODE_ENABLE_TELEMETRY: '1',
          // Without it there are no spans, and so no tree.
          CLAUDE_CODE_ENHANCED_TELEMETRY_BETA: '1',
          OTEL_TRACES_EXPORTER: 'otlp',
          OTEL_LOGS_EXPORTER: 'otlp',
          // Of each signal by itself: these outrank what a setting that is not seen here says of all.
          OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/json',
          OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${url}/v1/logs`,
          OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
          OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/v1/traces`,
          OTEL_LOGS_EXPORT_INTERVAL: SOON_MS,
          OTEL_TRACES_EXPORT_INTERVAL: SOON_MS,
          // What was said stays on the machine unless its project keeps it.
          OTEL_LOG_USER_PROMPTS: '1',
          OTEL_LOG_TOOL_DETAILS: '1',
        },
      };
    },
  },
  codex: {
    dialect: codex,
    settings(url) {
      // It takes no path of its own, and its logs say all that its spans say.
      const exporter = `otel.exporter={otlp-http={endpoint=${JSON.stringify(`${url}/v1/logs`)},protocol="json"}}`;
      // Its prompts are in its spans, too: those go nowhere.
      const others = ['-c', 'otel.trace_exporter="none"', '-c', 'otel.log_user_prompt=true'];
      return { args: ['-c', exporter, ...others], env: {} };
    },
  },
  gemini: {
    dialect: gemini,
    settings(url, { env }) {
      if (reportsElsewhere(namesIn(env))) return undefined;
      return {
        args: [],
        env: {
          GEMINI_TELEMETRY_ENABLED: 'true',
          GEMINI_TELEMETRY_TARGET: 'local',
          GEMINI_TELEMETRY_OTLP_ENDPOINT: url,
          GEMINI_TELEMETRY_OTLP_PROTOCOL: 'http',
          GEMINI_TELEMETRY_LOG_PROMPTS: 'true',
        },
      };
    },
  },
});

function namesIn(env: NodeJS.ProcessEnv): string[] {
  return Object.keys(env).filter((name) => env[name] !== undefined);
}

function reportsElsewhere(variables: readonly string[]): boolean {
  return variables.some((name) => ELSEWHERE.test(name));
}
