// The signals that end a process, also when a terminal closes.
const STOP_SIGNALS = Object.freeze(['SIGTERM', 'SIGINT', 'SIGHUP'] as const);

/** Calls `stop` when the process is told to end; returns a function that stops listening. */
export function onStopSignal(stop: () => void): () => void {
  for (const signal of STOP_SIGNALS) process.once(signal, stop);
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, stop);
  };
}

/** Lets no further signal end the process while it ends in order; returns a function that takes this back. */
export function heedNoStopSignal(): () => void {
  const ignore = () => {};
  for (const signal of STOP_SIGNALS) process.on(signal, ignore);
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, ignore);
  };
}
