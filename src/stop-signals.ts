// What tells a process to end, a closed terminal too.
const STOP_SIGNALS = Object.freeze(['SIGTERM', 'SIGINT', 'SIGHUP'] as const);

/** Calls `stop` when the process is told to end, and answers with how to listen no longer. */
export function onStopSignal(stop: () => void): () => void {
  for (const signal of STOP_SIGNALS) process.once(signal, stop);
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, stop);
  };
}
