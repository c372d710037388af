import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ServerOptions } from '../mcp/server-options.ts';
import { addJobMetrics, type JobsSeen } from './jobs.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

type Counts = {
  requests: () => number;
  sessions: () => number;
  streams: () => number;
  jobs?: JobsSeen | undefined;
};

/** Formats the counts as Prometheus text. Labels are only our words, so that no caller can add more. */
export function createMetrics(counts: Counts) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'cairn_http_request_seconds',
    help: 'Requests by route, method and status.',
    labelNames: ['route', 'method', 'status'] as const,
    buckets: SECONDS,
    registers,
  });
  const calls = new Histogram({
    name: 'cairn_tool_call_seconds',
    help: 'Tool calls by tool.',
    labelNames: ['tool'] as const,
    buckets: SECONDS,
    registers,
  });
  const outcomes = new Counter({
    name: 'cairn_tool_calls_total',
    help: 'Tool calls by tool and outcome: ok or the code of the error.',
    labelNames: ['tool', 'outcome'] as const,
    registers,
  });
  for (const [name, help, count] of [
    ['cairn_requests_in_flight', 'Requests that are being answered.', counts.requests],
    ['cairn_open_streams', 'Responses that stay open for what may happen.', counts.streams],
    ['cairn_sessions', 'Sessions of the 2025 protocols.', counts.sessions],
  ] as const) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(count());
      },
    });
  }

  if (counts.jobs !== undefined) addJobMetrics(registry, counts.jobs);

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    request(route: string, { method, status, ms }: { method: string; status: number; ms: number }): void {
      requests.observe({ route, method, status: String(status) }, ms / 1_000);
    },
    call({ tool, outcome, ms }: Parameters<NonNullable<ServerOptions['observe']>>[0]): void {
      calls.observe({ tool }, ms / 1_000);
      outcomes.inc({ tool, outcome });
    },
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
