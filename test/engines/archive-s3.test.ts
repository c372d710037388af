import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cairnHere } from '../support/cairn-here.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { lacks } from '../support/needs.ts';
import { startRaw } from '../support/raw-agent.ts';
import { hasSwift, S3_KEYS, type Swift, startSwift } from '../support/swift.ts';

const TOMORROW = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
const NOWHERE = 'postgres://x@127.0.0.1:1/x';

describe.skipIf(lacks('swift', hasSwift))('cairn events archive --to s3:BUCKET', () => {
  let swift: Swift;
  let world: LocalWorld;
  let env: Record<string, string>;

  beforeAll(async () => {
    swift = await startSwift();
    await swift.request('PUT', 'archive');
    world = await openLocalWorld();
    env = {
      AWS_ENDPOINT_URL_S3: swift.endpoint,
      AWS_REGION: S3_KEYS.region,
      AWS_ACCESS_KEY_ID: S3_KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: S3_KEYS.secretAccessKey,
    };
  });
  afterAll(async () => {
    await world.close();
    await swift.stop();
  });

  test('moves the events there; who has the key reads them as before, and who has none is told', async () => {
    const flags = ['--data-dir', world.dataDir];
    const agent = await startRaw(flags, env);
    await agent.call('create_project', { slug: 'web', name: 'Web' });
    await agent.call('record_event', { project: 'web', text: 'Old.' });
    const { data: before } = await agent.call('list_events', { project: 'web' });
    const archive = ['events', 'archive', '--before', TOMORROW, '--to', 's3:archive/of/cairn'];

    const moved = await cairnHere([...flags, ...archive], { env });

    expect(moved).toMatchObject({ code: 0, stdout: expect.stringContaining('Archived 2 events.') });
    expect(await world.rows('select location from app.archives')).toEqual([{ location: 's3:archive/of/cairn' }]);
    const keys = [...String(await swift.request('GET', 'archive')).matchAll(/<Key>(.*?)<\/Key>/g)].map(
      ([, key]) => key,
    );
    expect(keys).toHaveLength(3);
    expect(keys.every((key) => /^of\/cairn\/[0-9a-f-]{36}-1-2-[0-9a-f]{64}\.[a-z.]+$/.test(String(key)))).toBe(true);
    expect((await agent.call('list_events', { project: 'web' })).data).toEqual(before);
    expect(await cairnHere([...flags, 'events', 'verify'], { env })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Checked 2 events in the archive.'),
    });
    const keyless = await cairnHere([...flags, 'events', 'verify']);
    expect(keyless).toMatchObject({ code: 1, stderr: expect.stringContaining('AWS_ACCESS_KEY_ID') });
    await agent.close();
  });

  test('is refused without the key before the database is opened, and allowed for every engine', async () => {
    const archive = ['--database-url', NOWHERE, 'events', 'archive', '--before', TOMORROW, '--to'];

    expect(await cairnHere([...archive, 's3:archive'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('AWS_SECRET_ACCESS_KEY'),
    });
    expect(await cairnHere([...archive, 's3:archive'], { env })).toMatchObject({
      code: 1,
      stderr: expect.not.stringContaining('one-machine'),
    });
  });
});
