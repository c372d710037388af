import fc from 'fast-check';
import { bytes, type Malformed, trimmed, visible, word } from './fuzz.ts';

const FORM = 'application/x-www-form-urlencoded';
const odd = fc.constantFrom(
  '\u0000',
  '\ud800',
  '%',
  '%00',
  '../..',
  '[object Object]',
  '__proto__',
  'é'.repeat(900),
  'x'.repeat(40_000),
);
export const uuid = fc.oneof(fc.uuid(), fc.constantFrom('', 'null', '00000000-0000-0000-0000-000000000000'));

type Fields = Record<string, fc.Arbitrary<string>>;

/** A query or form with some of them, at times one of them twice, one that nobody knows, or none that can be read. */
function encoded(fields: Fields): fc.Arbitrary<string> {
  const pairs = fc
    .record(fields, { requiredKeys: [] })
    .chain((given) =>
      fc.shuffledSubarray([...Object.entries(given), ...Object.entries(given).slice(0, 1), ['_', 'x']]),
    );
  return fc.oneof(
    { weight: 10, arbitrary: fc.record(fields).map((all) => new URLSearchParams(all).toString()) },
    { weight: 10, arbitrary: pairs.map((some) => new URLSearchParams(some as [string, string][]).toString()) },
    { weight: 1, arbitrary: visible.map(encodeURI) },
  );
}

export const method = (...usual: string[]) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...usual) },
    fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH'),
  );

const address = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)).map((rest) => `10.${rest.join('.')}`);

type Place = { paths: string[]; methods: [string, ...string[]]; fields: Fields };

/** Values known beforehand, so that a field can be nearly right. */
type Known = { secrets: readonly string[]; clients: readonly string[]; cookie: string };

export function malformedForms({ secrets, clients, cookie }: Known) {
  /** Text that is nearly right, or not at all. */
  const text = (...near: string[]) =>
    fc.oneof(
      { weight: 6, arbitrary: word('', ...near) },
      { weight: 2, arbitrary: fc.constantFrom(...secrets) },
      { weight: 1, arbitrary: odd },
      { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    );

  const headersOf = (type: string) =>
    fc
      .record(
        {
          'x-forwarded-for': fc.oneof({ weight: 8, arbitrary: address }, visible, fc.ipV6()),
          'content-type': fc.oneof(
            { weight: 8, arbitrary: fc.constant(type) },
            word('text/plain', 'application/json', FORM),
          ),
          cookie: fc.oneof(
            { weight: 3, arbitrary: fc.constant(cookie) },
            fc.constantFrom(...secrets).map((secret) => cookie.replace(/=[^;]*/g, `=${secret}`)),
            visible,
          ),
          authorization: fc.oneof(
            fc
              .tuple(fc.constantFrom(...clients), fc.constantFrom(...secrets, '%', ':'))
              .map(([id, secret]) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`),
            fc.constantFrom(...secrets).map((secret) => `Bearer ${secret}`),
            fc.constantFrom('Basic', 'Basic ====', 'Basic Og==', 'Basic /w=='),
          ),
          'sec-fetch-site': word('same-origin', 'cross-site', 'none'),
          origin: word('null', 'https://evil.example'),
        },
        { requiredKeys: ['x-forwarded-for', 'content-type'] },
      )
      .map(trimmed);

  /** Requests to these paths: of a form with these fields, of bytes, of anything. */
  function requestsTo({ paths, methods, fields }: Place): fc.Arbitrary<Malformed> {
    const path = fc.tuple(
      fc.oneof(
        { weight: 12, arbitrary: fc.constantFrom(...paths) },
        fc.constantFrom(...paths.flatMap((known) => [`${known}/`, `${known}%00`, `/${known}`])),
      ),
      encoded(methods.includes('GET') ? fields : {}),
    );
    const body = fc.oneof({ weight: 8, arbitrary: encoded(fields) }, fc.json(), bytes);
    return fc
      .record({ method: method(...methods), path, headers: headersOf(FORM), body })
      .map(({ path: [at, search], ...sent }) => ({ ...sent, path: `${at}?${search}` }));
  }

  return { text, headersOf, requestsTo };
}
