import { of } from './mutant.ts';

/** Threats to files beside the database. */
export const BLOBS = Object.freeze([
  ...of('T45', 'test/blobs/places.test.ts', [
    {
      file: 'src/blobs/store.ts',
      find: 'if (hashOf(bytes) === sha256) return bytes;',
      replace: 'return bytes;',
      name: 'is refused with its true hash',
    },
    {
      file: 'src/blobs/store.ts',
      find: 'if (NAME.test(name)) return name;',
      replace: 'return name;',
      name: 'is not looked for under a name',
    },
    {
      file: 'src/blobs/store.ts',
      find: 'return bytes !== null && hashOf(bytes) === sha256;',
      replace: 'return true;',
      name: 'content has its name, and overwrites nothing',
    },
    { file: 'src/blobs/store.ts', find: ' || seconds > URL_SECONDS_MAX', name: 'has no URL for' },
    {
      file: 'src/blobs/directory.ts',
      find: 'if (await isTaken(path)) return false;',
      name: 'content has its name, and overwrites nothing',
    },
    {
      file: 'src/blobs/supabase.ts',
      find: 'upsert: false',
      replace: 'upsert: true',
      name: 'content has its name, and overwrites nothing',
    },
  ]),
  ...of('T45', 'test/blobs/s3.test.ts', [
    {
      file: 'src/blobs/s3.ts',
      find: 'if (await isThere(name)) return false;',
      name: 'sends nothing where the name is taken',
    },
    { file: 'src/blobs/s3.ts', find: ", 'if-none-match': '*'", name: 'and to overwrite nothing' },
    { file: 'src/blobs/s3.ts', find: ", 'x-amz-content-sha256': sha256", name: 'asks the service to check the bytes' },
  ]),
  ...of('T45', 'test/blobs/open.test.ts', [
    { file: 'src/blobs/open.ts', find: 'S3_PREFIX.test(prefix)', replace: 'true', name: 'is refused' },
  ]),
  ...of('T45', 'test/engines/archive-places.test.ts', [
    {
      file: 'src/blobs/supabase.ts',
      find: 'if (!about.public) return;',
      replace: 'return;',
      name: 'is refused, and nothing leaves the table',
    },
  ]),
  ...of('T45', 'test/cli/terminal-log.test.ts', [
    {
      file: 'src/log.ts',
      find: 'X-Amz-Signature|X-Amz-Security-Token|token',
      replace: 'none',
      name: 'holds no URL by which a stranger reads a file',
    },
  ]),
]);
