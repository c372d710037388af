import { afterAll, beforeAll, expect, test } from 'vitest';
import { cairn } from '../support/cairn.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';

// Variables of libpq, as a developer sets them for another server.
const ELSEWHERE: Readonly<Record<string, string>> = {
  PGHOST: 'db.example.test',
  PGHOSTADDR: '203.0.113.1',
  PGPORT: '1',
  PGDATABASE: 'elsewhere',
  PGUSER: 'somebody',
  PGPASSWORD: 'secret',
  PGPASSFILE: '/nonexistent',
  PGSERVICE: 'elsewhere',
  PGOPTIONS: '-c statement_timeout=1ms -c search_path=elsewhere',
  PGSSLMODE: 'verify-full',
  PGSSLNEGOTIATION: 'direct',
  PGSSLROOTCERT: '/nonexistent',
  PGAPPNAME: 'elsewhere',
  PGCLIENTENCODING: 'LATIN1',
  PGCLIENT_ENCODING: 'LATIN1',
  PGREPLICATION: 'database',
  PGCONNECT_TIMEOUT: '1',
  PGDATA: '/nonexistent',
  PGTZ: 'Asia/Tokyo',
  PGDATESTYLE: 'German',
};

let world: LocalWorld;

beforeAll(async () => {
  world = await openLocalWorld();
});
afterAll(() => world.close());

test('variables that name another PostgreSQL do not reach the embedded one, which a command starts, uses and stops', async () => {
  const flags = ['--data-dir', world.dataDir];
  const plan = `# Plan\n\n- [ ] Straße — задача\n`;

  const imported = await cairn([...flags, 'import', '-', '--project', 'web'], { env: ELSEWHERE, input: plan });
  const listed = await cairn([...flags, 'tasks', '--project', 'web', '--json'], { env: ELSEWHERE });

  expect(imported).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(listed.stdout).tasks).toMatchObject([{ title: 'Straße — задача' }]);
});
