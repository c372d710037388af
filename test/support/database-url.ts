import type pg from 'pg';

/** The same as a connection string, for processes of their own. */
export function databaseUrl({ host, port, user, database, password }: pg.ClientConfig): string {
  const secret = typeof password === 'string' ? `:${encodeURIComponent(password)}` : '';
  return `postgres://${user}${secret}@localhost:${port}/${database}?host=${encodeURIComponent(host ?? '')}`;
}
