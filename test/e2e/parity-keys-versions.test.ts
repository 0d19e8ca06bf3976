import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { checkRow, openWorld, type ParityWorld, type Row, seedWith, VAULT } from '../support/parity.ts';
import { newKey } from '../support/pki.ts';

const { FAILED_PRECONDITION, NOT_FOUND, UNKNOWN } = status;

let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(seedWith({ vault: '    keys: [{name: k}]' }));
});
afterEach(() => world.emulator.faults.clear());
afterAll(() => world.close());

/** Returns a row about the key `k`, whose JSON Web Key is replaced or edited. */
function jwk(fact: string, set: Readonly<Record<string, unknown>>, row: Partial<Row>, remove: string[] = []): Row {
  const entries = Object.entries(set).map(([name, value]) => [`key.${name}`, value] as const);
  const members = Object.fromEntries(entries.filter(([path]) => !remove.includes(path)));
  return {
    fact,
    given: ({ emulator }) =>
      emulator.faults.add({ on: 'vault', object: 'k', action: { kind: 'edit', set: members, remove } }),
    objects: [{ objectName: 'k', objectType: 'key' }],
    ...row,
  };
}

const numbers = (key: KeyObject): Record<string, unknown> => ({ ...createPublicKey(key).export({ format: 'jwk' }) });
const spki = (key: KeyObject) => createPublicKey(key).export({ format: 'pem', type: 'spki' }).toString();
const rsa = (['rsa-2048', 'rsa-3072', 'rsa-4096'] as const).map(newKey);
const ec = ['P-256', 'P-384', 'P-521'].map(
  (namedCurve) => [namedCurve, generateKeyPairSync('ec', { namedCurve }).privateKey] as const,
);
const [, p256 = rsa[0] as KeyObject] = ec[0] ?? [];

/** Returns an EC key with a coordinate that begins with a zero. Some services omit that zero. */
function shortCoordinate(): KeyObject {
  for (;;) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    if (Buffer.from(String(numbers(privateKey).x), 'base64url')[0] === 0) return privateKey;
  }
}
const short = shortCoordinate();
const shortX = Buffer.from(String(numbers(short).x), 'base64url')
  .subarray(1)
  .toString('base64url');

const KEYS: readonly Row[] = [
  ...rsa.flatMap((key) =>
    ['RSA', 'RSA-HSM'].map((kty) =>
      jwk(
        `${kty} of ${key.asymmetricKeyDetails?.modulusLength} bits is its public key as PEM`,
        { ...numbers(key), kty },
        {
          files: { k: spki(key) },
          versions: ['key/k *'],
        },
      ),
    ),
  ),
  ...ec.flatMap(([crv, key]) =>
    ['EC', 'EC-HSM'].map((kty) =>
      jwk(`${kty} ${crv} is its public key as PEM`, { ...numbers(key), kty }, { files: { k: spki(key) } }),
    ),
  ),
  jwk('a coordinate without its leading zero', { ...numbers(short), x: shortX }, { files: { k: spki(short) } }),
  jwk(
    'P-256K is an error naming the curve',
    { ...numbers(p256), crv: 'P-256K' },
    {
      fails: { code: FAILED_PRECONDITION, says: ['curve P-256K is not supported', 'objectType:key, objectName:k,'] },
    },
  ),
  ...['oct', 'oct-HSM', 'OKP'].map((kty) =>
    jwk(
      `a key of type ${kty} is an error naming the type`,
      { kty },
      {
        fails: {
          code: FAILED_PRECONDITION,
          says: [`failed to get key. key type '${kty}' currently not supported`, 'objectName:k,'],
        },
      },
    ),
  ),
  ...['kty', 'n', 'e'].map((field) =>
    jwk(
      `an RSA key without ${field} is an error naming object and field`,
      numbers(rsa[0] as KeyObject),
      {
        fails: { code: FAILED_PRECONDITION, says: ['objectName:k,', `"${field}"`] },
      },
      [`key.${field}`],
    ),
  ),
  ...['crv', 'x', 'y'].map((field) =>
    jwk(
      `an EC key without ${field} is an error naming object and field`,
      numbers(p256),
      {
        fails: { code: FAILED_PRECONDITION, says: ['objectName:k,', `"${field}"`] },
      },
      [`key.${field}`],
    ),
  ),
  jwk(
    'an answer without kid is an error naming object and field',
    {},
    {
      fails: { code: UNKNOWN, says: ['key id is nil', 'objectName:k,', '"kid"'] },
    },
    ['key.kid'],
  ),
  jwk(
    'an answer without key is an error naming object and field',
    {},
    {
      fails: { code: UNKNOWN, says: ['key value is nil', 'objectName:k,', '"key"'] },
    },
    ['key'],
  ),
  jwk(
    'numbers that are no key are an error',
    { ...numbers(p256), x: 'AAAA', y: 'AAAA' },
    {
      fails: { code: FAILED_PRECONDITION, says: ['objectName:k,', 'damaged'] },
    },
  ),
];

const id = (index: number) => index.toString(16).padStart(32, '0');
const NOW = 1_700_000_000;

/** Adds `count` versions of a secret. Each value is the number of its version; the highest is the newest. */
const versionsOf =
  (name: string, count: number, options: (index: number) => object = () => ({})) =>
  ({ emulator }: ParityWorld) => {
    for (let i = 1; i <= count; i++) {
      const version = { version: id(i), created: NOW + i, ...options(i) };
      emulator.setSecret(VAULT, name, `value ${i}`, version);
    }
  };
const filesOf = (name: string, numbersThere: readonly number[]) =>
  Object.fromEntries(numbersThere.map((number, index) => [`${name}/${index}`, `value ${number}`]));
const rowsOf = (name: string, numbersThere: readonly number[]) =>
  numbersThere.map((number, index) => `secret/${name}/${index} ${id(number)}`);

let serial = 0;
/** Returns a row about a secret with versions 1 to `available`, of which those in `expected` are delivered. */
function history(
  fact: string,
  {
    available,
    item,
    expected,
    options,
  }: {
    available: number;
    item: Readonly<Record<string, unknown>>;
    expected?: readonly number[];
    options?: (index: number) => object;
  },
  row: Partial<Row> = {},
): Row {
  const name = `history-${++serial}`;
  return {
    fact,
    given: versionsOf(name, available, options),
    objects: [{ objectName: name, objectType: 'secret', ...item }],
    ...(expected === undefined ? {} : { files: filesOf(name, expected), versions: rowsOf(name, expected) }),
    ...row,
  };
}
const N = (objectVersionHistory: unknown, more: object = {}) => ({ objectVersionHistory, ...more });
const down = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, i) => from - i);
const single = (fact: string, objectVersionHistory: unknown): Row => {
  const name = `single-${++serial}`;
  return {
    fact,
    given: versionsOf(name, 3),
    objects: [{ objectName: name, objectType: 'secret', objectVersionHistory }],
    files: { [name]: 'value 3' },
    versions: [`secret/${name} ${id(3)}`],
    vaultRequests: 1,
  };
};

const HISTORY: readonly Row[] = [
  history('2 gives the two newest, not three', { available: 5, item: N(2), expected: [5, 4] }),
  history('N gives N where there are N+1', { available: 4, item: N(3), expected: [4, 3, 2] }),
  history('N gives all where there are N', { available: 3, item: N(3), expected: [3, 2, 1] }),
  history('N gives what there is where there are fewer', { available: 2, item: N(10), expected: [2, 1] }),
  history('one version alone has index 0', { available: 1, item: N(5), expected: [1] }),
  single('1 is the current version under its plain name', 1),
  single('0 is the current version', 0),
  single('a negative number is the current version', -3),
  history('it begins with the newest for "latest"', {
    available: 3,
    item: N(2, { objectVersion: 'latest' }),
    expected: [3, 2],
  }),
  history('it begins with the version named', { available: 5, item: N(2, { objectVersion: id(3) }), expected: [3, 2] }),
  history('it ends with the oldest', { available: 3, item: N(5, { objectVersion: id(2) }), expected: [2, 1] }),
  history('disabled versions are skipped', {
    available: 5,
    item: N(3),
    options: (i) => ({ enabled: i !== 4 }),
    expected: [5, 3, 2],
  }),
  history('the newest may be disabled', {
    available: 3,
    item: N(2),
    options: (i) => ({ enabled: i !== 3 }),
    expected: [2, 1],
  }),
  history('validity dates are not looked at', {
    available: 2,
    item: N(2),
    options: () => ({ notBefore: 4_000_000_000, expires: 4_000_000_001 }),
    expected: [2, 1],
  }),
  history('pages of 25 are followed', { available: 30, item: N(28), expected: down(30, 3) }),
  history('a version on the third page', { available: 60, item: N(2, { objectVersion: id(3) }), expected: [3, 2] }),
  history('versions of one second have a stable order', {
    available: 4,
    item: N(4),
    options: () => ({ created: NOW }),
    expected: [1, 2, 3, 4],
  }),
  history(
    'an unknown version to begin with is an error naming it',
    { available: 2, item: N(2, { objectVersion: 'f'.repeat(32) }) },
    {
      fails: { code: NOT_FOUND, says: ['f'.repeat(32), 'has no version', /objectName:history-\d+/] },
    },
  ),
  history(
    'a disabled version to begin with is an error',
    {
      available: 3,
      item: N(2, { objectVersion: id(2) }),
      options: (i) => ({ enabled: i !== 2 }),
    },
    { fails: { code: FAILED_PRECONDITION, says: [id(2), 'is disabled'] } },
  ),
  history(
    'nothing enabled is an error',
    { available: 2, item: N(2), options: () => ({ enabled: false }) },
    {
      fails: { code: FAILED_PRECONDITION, says: ['no enabled version'] },
    },
  ),
  {
    fact: 'an object that is not there is an error',
    objects: [{ objectName: 'nowhere', objectType: 'secret', objectVersionHistory: 2 }],
    fails: { code: NOT_FOUND, says: ['objectName:nowhere'] },
  },
  {
    fact: 'the alias replaces the name in paths, not in ids',
    given: versionsOf('aliased', 2),
    objects: [{ objectName: 'aliased', objectAlias: 'old/ones', objectType: 'secret', objectVersionHistory: 2 }],
    files: filesOf('old/ones', [2, 1]),
    versions: rowsOf('aliased', [2, 1]),
  },
  {
    fact: 'objects keep the order of the manifest, versions newest first',
    given: (w) => {
      versionsOf('first', 2)(w);
      versionsOf('second', 2)(w);
    },
    objects: ['second', 'first'].map((objectName) => ({ objectName, objectType: 'secret', objectVersionHistory: 2 })),
    files: { ...filesOf('second', [2, 1]), ...filesOf('first', [2, 1]) },
    versions: [...rowsOf('second', [2, 1]), ...rowsOf('first', [2, 1])],
  },
  {
    fact: 'each version is read by its id, after one listing',
    given: versionsOf('counted', 3),
    objects: [{ objectName: 'counted', objectType: 'secret', objectVersionHistory: 2 }],
    files: filesOf('counted', [3, 2]),
    vaultRequests: 3,
  },
  {
    fact: 'a version that cannot be read fails all, naming it',
    given: (w) => {
      versionsOf('broken', 3)(w);
      w.emulator.faults.add({ on: 'vault', path: id(2), action: { kind: 'answer', status: 404 } });
    },
    objects: [{ objectName: 'broken', objectType: 'secret', objectVersionHistory: 3 }],
    fails: { code: NOT_FOUND, says: ['objectName:broken', id(2)] },
  },
  {
    fact: 'keys have versions',
    given: async ({ emulator }) => {
      await emulator.createKey(VAULT, 'turned');
      await emulator.createKey(VAULT, 'turned');
    },
    objects: [{ objectName: 'turned', objectType: 'key', objectVersionHistory: 5 }],
    files: { 'turned/0': /PUBLIC KEY/, 'turned/1': /PUBLIC KEY/ },
    versions: ['key/turned/0 *', 'key/turned/1 *'],
  },
  {
    fact: 'certificates have versions',
    given: async ({ emulator }) => {
      await emulator.createCertificate(VAULT, 'renewed');
      await emulator.rotateCertificate(VAULT, 'renewed');
    },
    objects: [{ objectName: 'renewed', objectType: 'cert', objectVersionHistory: 5 }],
    files: { 'renewed/0': /CERTIFICATE/, 'renewed/1': /CERTIFICATE/ },
    versions: ['cert/renewed/0 *', 'cert/renewed/1 *'],
  },
  {
    fact: 'splitting adds its suffix behind the index',
    flags: ['--write-cert-and-key-in-separate-files'],
    given: async ({ emulator }) => {
      await emulator.createCertificate(VAULT, 'parts');
      await emulator.rotateCertificate(VAULT, 'parts');
    },
    objects: [{ objectName: 'parts', objectType: 'secret', objectVersionHistory: 2 }],
    files: Object.fromEntries(
      [0, 1].flatMap((i) => [
        [`parts/${i}.crt`, /^-----BEGIN CERTIFICATE/],
        [`parts/${i}.key`, /^-----BEGIN PRIVATE KEY/],
        [`parts/${i}`, /^-----BEGIN PRIVATE KEY/],
      ]),
    ),
    versions: [0, 0, 0, 1, 1, 1].map((i) => `secret/parts/${i} *`),
  },
];

/** Replaces the listing with one page of these entries. */
const listed = (name: string, entries: readonly object[], row: Partial<Row>): Partial<Row> => ({
  given: (w) => {
    versionsOf(name, 3)(w);
    const value = entries.map((entry) => {
      const { version, ...rest } = entry as { version?: string };
      return version === undefined ? rest : { id: `${w.emulator.vaultUrl(VAULT)}/secrets/${name}/${version}`, ...rest };
    });
    const body = { value, nextLink: null };
    w.emulator.faults.add({
      on: 'vault',
      object: name,
      path: '/versions',
      action: { kind: 'answer', status: 200, body },
    });
  },
  objects: [{ objectName: name, objectType: 'secret', objectVersionHistory: 3 }],
  ...row,
});

const LISTINGS: readonly Row[] = [
  {
    fact: 'a missing creation date counts as the oldest',
    ...listed(
      'undated',
      [
        { version: id(3), attributes: {} },
        { version: id(1), attributes: { created: 5 } },
      ],
      {
        files: filesOf('undated', [1, 3]),
      },
    ),
  },
  {
    fact: 'an entry that does not say whether it is enabled is',
    ...listed('unsaid', [{ version: id(1), attributes: { created: 5 } }], { files: filesOf('unsaid', [1]) }),
  },
  {
    fact: 'an entry without attributes is skipped',
    ...listed('bare', [{ version: id(3) }, { version: id(2), attributes: { created: 5, enabled: true } }], {
      files: filesOf('bare', [2]),
    }),
  },
  {
    fact: 'an empty listing is an error',
    ...listed('empty', [], { fails: { code: NOT_FOUND, says: ['objectName:empty', 'has no version'] } }),
  },
];

describe('public keys', () => {
  it.each(KEYS)('$fact', (row) => checkRow(world, row));
});

describe('objectVersionHistory', () => {
  it.each(HISTORY)('$fact', (row) => checkRow(world, row));
});

describe('listings of versions', () => {
  it.each(LISTINGS)('$fact', (row) => checkRow(world, row));
});
