/** The ways in which a text reaches an agent, each a file in `drivers/`. */
export const DRIVER_NAMES = ['claude', 'codex', 'acp', 'pipe', 'pty'] as const;

export type DriverName = (typeof DRIVER_NAMES)[number];
