/** A body that is a Buffer is sent as it is, any other as JSON. */
export type Reply = { status: number; headers?: Record<string, string>; body?: unknown };
