import { X509Certificate } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { checkRow, type Item, openWorld, type ParityWorld, type Row, seedWith, VAULT } from '../support/parity.ts';
import { fingerprints, issue, issueChain, keyPem, newKey, pemOf, sameKey } from '../support/pki.ts';

const { FAILED_PRECONDITION, INVALID_ARGUMENT } = status;
const PFX = 'application/x-pkcs12';
const PEM = 'application/x-pem-file';
const PASSWORD = 'p4ssword';

const rsa = await issueChain({ keyType: 'rsa-2048' });
const ec = await issueChain({ keyType: 'p-256', names: ['ec.example', 'EC Intermediate', 'EC Root'] });
const [own, intermediate, root] = rsa.certificates;
const [ecOwn, ecIntermediate, ecRoot] = ec.certificates;
if (!own || !intermediate || !root || !ecOwn || !ecIntermediate || !ecRoot) throw new Error('short chains');
const key = keyPem(rsa.leaf.key);
const text = (...parts: readonly { toString(): string }[]) => parts.map(String).join('');
const pfxOf = async (password: string | null) =>
  (
    await writePkcs12(
      { key: rsa.leaf.key, certificates: [root, intermediate, own] },
      { ...PKCS12_FORMS.keyVault, password: password === null ? null : new Secret(password), seed: Buffer.from('x') },
    )
  ).toString('base64');
const pfx = await pfxOf(null);
const lockedPfx = await pfxOf(PASSWORD);
const past = { notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') };
const expired = await issue({ name: 'expired.example', ...past });
const LATE_PFX = (
  await writePkcs12(
    { key: expired.key, certificates: [expired.certificate] },
    { ...PKCS12_FORMS.modern, password: new Secret(''), seed: Buffer.from('x') },
  )
).toString('base64');
const future = { notBefore: new Date('2090-01-01'), notAfter: new Date('2091-01-01') };
const early = await issue({ name: 'early.example', ...future });

let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(seedWith({ vault: `    secrets: [{name: pw, value: "${PASSWORD}\\n"}]` }));
});
afterEach(() => world.emulator.faults.clear());
afterAll(() => world.close());

const c = (files: unknown, more: object = {}): Item => ({ objectName: 'c', objectType: 'secret', files, ...more });
const password: Item = { objectName: 'pw', objectType: 'secret', files: {} };
const holding =
  (value: string, contentType = PFX) =>
  (w: ParityWorld) =>
    w.certificateSecret('c', value, contentType);
const made = (fact: string, item: Item, files: Row['files'], more: Partial<Row> = {}): Row => ({
  fact,
  given: holding(pfx),
  objects: [item],
  files,
  ...more,
});
const refused = (fact: string, objects: readonly Item[], ...says: (string | RegExp)[]): Row => ({
  fact,
  objects,
  vaultRequests: 0,
  fails: { code: INVALID_ARGUMENT, says },
});
const impossible = (fact: string, item: Item, value: string, ...says: (string | RegExp)[]): Row => ({
  fact,
  given: holding(value, PEM),
  objects: [item],
  fails: { code: FAILED_PRECONDITION, says: ['objectName:c,', ...says] },
});

const pkcs1 = rsa.leaf.key.export({ format: 'pem', type: 'pkcs1' }).toString();
const sec1 = ec.leaf.key.export({ format: 'pem', type: 'sec1' }).toString();
const ecPem = text(keyPem(ec.leaf.key), pemOf(ec.certificates));

const OUTPUTS: readonly Row[] = [
  made('certificate is the leaf', c({ certificate: 'x' }), { x: text(own) }),
  made('chain is the intermediates', c({ chain: 'x' }), { x: text(intermediate) }),
  made('fullChain is leaf and intermediates, without the root', c({ fullChain: 'x' }), { x: text(own, intermediate) }),
  made('ca is the roots', c({ ca: 'x' }), { x: text(root) }),
  made('privateKey is PKCS#8', c({ privateKey: 'x' }), { x: key }),
  made('combined is the key, then leaf and intermediates', c({ combined: 'x' }), { x: text(key, own, intermediate) }),
  made('der is the leaf in DER', c({ der: 'x' }), { x: own.raw }),
  made('keyFormat pkcs1', c({ privateKey: 'x' }, { keyFormat: 'pkcs1' }), { x: pkcs1 }),
  made('keyFormat of one output', c({ privateKey: { path: 'x', keyFormat: 'pkcs1' }, combined: 'y' }), {
    x: pkcs1,
    y: text(key, own, intermediate),
  }),
  made(
    'keyFormat sec1 of an EC key',
    c({ privateKey: 'x' }, { keyFormat: 'sec1' }),
    { x: sec1 },
    { given: holding(ecPem, PEM) },
  ),
  made(
    'all of them come from one read, each with a row of its own',
    c({ certificate: 'a', chain: 'b', fullChain: 'd/c', ca: 'd/d', privateKey: 'e' }),
    { a: text(own), b: text(intermediate), 'd/c': text(own, intermediate), 'd/d': text(root), e: key },
    { versions: Array.from({ length: 5 }, () => 'secret/c *'), vaultRequests: 1 },
  ),
  made(
    'each has its own mode, else the object’s',
    c({ certificate: 'a', privateKey: { path: 'b', filePermission: '0400' } }, { filePermission: '0640' }),
    { a: text(own), b: key },
    { modes: [0o640, 0o400] },
  ),
  made(
    'PEM in any order',
    c({ fullChain: 'x' }),
    { x: text(own, intermediate) },
    {
      given: holding(text(root, intermediate, own, key), PEM),
    },
  ),
  made(
    'the flag for separate files changes nothing',
    c({ combined: 'x' }),
    { x: text(key, own, intermediate) },
    {
      flags: ['--write-cert-and-key-in-separate-files'],
    },
  ),
  made(
    'a PFX under a password from another object',
    c({ combined: 'x' }, { passwordFrom: 'pw' }),
    {},
    {
      given: holding(lockedPfx),
      objects: [c({ combined: 'x' }, { passwordFrom: 'pw' }), password],
      files: { x: text(key, own, intermediate) },
      versions: ['secret/c *', 'secret/pw *'],
    },
  ),
  {
    fact: 'a PFX that belongs to no certificate',
    given: ({ emulator }) => emulator.setSecret(VAULT, 'uploaded', pfx),
    objects: [{ objectName: 'uploaded', objectType: 'secret', files: { fullChain: 'x', privateKey: 'y' } }],
    files: { x: text(own, intermediate), y: key },
  },
];

const REFUSED: readonly Row[] = [
  impossible('a key where there is none', c({ privateKey: 'x' }), text(own), /private key/, 'exportable'),
  impossible('a chain where there is none', c({ chain: 'x' }), text(key, own), '"x"', 'intermediate'),
  impossible('a root where there is none', c({ ca: 'x' }), text(key, own, intermediate), 'root'),
  impossible('a leaf where there is only a key', c({ certificate: 'x' }), key, 'no certificate'),
  impossible('a key that does not fit', c({ combined: 'x' }), text(keyPem(newKey('rsa-2048')), own), /does not belong/),
  ...(['certificate', 'fullChain', 'privateKey', 'combined', 'pfx', 'der'] as const).map((output) =>
    impossible(
      `${output} of two servers, each with its key`,
      c({ [output]: 'x' }),
      text(keyPem(ec.leaf.key), key, pemOf(rsa.certificates), pemOf(ec.certificates)),
      'cannot write "x"',
      '2 private keys',
      '"CN=ec.example, O=Test" and "CN=broker.example, O=Test"; keep one key',
    ),
  ),
  impossible('PKCS#1 of an EC key', c({ privateKey: 'x' }, { keyFormat: 'pkcs1' }), ecPem, 'pkcs1', 'RSA'),
  impossible('SEC 1 of an RSA key', c({ privateKey: 'x' }, { keyFormat: 'sec1' }), text(key, own), 'sec1', 'EC'),
  impossible(
    'something that is no certificate',
    c({ certificate: 'x' }),
    'hunter2',
    /neither PKCS#12 nor PEM nor DER/,
    /^(?!.*hunter2)/,
  ),
  {
    fact: 'a PFX under another password',
    given: (w) => {
      holding(lockedPfx)(w);
      w.emulator.setSecret(VAULT, 'wrong', 'wr0ng');
    },
    objects: [
      c({ combined: 'x' }, { passwordFrom: 'wrong' }),
      { objectName: 'wrong', objectType: 'secret', files: {} },
    ],
    fails: { code: FAILED_PRECONDITION, says: ['objectName:c,', /password/, /^(?!.*wr0ng)/] },
  },
  refused(
    'an output there is none of',
    [c({ fullchain: 'x' })],
    'objects[0].files.fullchain',
    'did you mean "fullChain"',
  ),
  refused('a path that leaves the volume', [c({ der: '../x' })], 'objects[0].files', "'..'"),
  refused('a path twice', [c({ der: 'x', chain: 'x' })], '"x"', 'objectName:c,'),
  refused(
    'a path that is another object’s',
    [c({ der: 'x' }), { objectName: 'x', objectType: 'secret' }],
    '"x"',
    'objectName:c,',
    'objectName:x,',
  ),
  refused(
    'files of a key',
    [{ objectName: 'c', objectType: 'key', files: { der: 'x' } }],
    'files is only for objectType: secret',
  ),
  refused('files beside an alias', [c({ der: 'x' }, { objectAlias: 'y' })], 'objectAlias'),
  refused('files of a version history', [c({ der: 'x' }, { objectVersionHistory: 3 })], 'objectVersionHistory'),
  refused('a key format there is none of', [c({ privateKey: 'x' }, { keyFormat: 'jwk' })], '"jwk"', '"pkcs8"'),
  refused(
    'a mode that is none',
    [c({ der: { path: 'x', filePermission: 'rw' } })],
    'file permission must be a valid octal number',
  ),
  refused(
    'a password from no object of the mount',
    [c({ pfx: { path: 'x', passwordFrom: 'nowhere' } })],
    '"nowhere"',
    'objectName: nowhere',
  ),
  refused('a password for PEM', [c({ chain: { path: 'x', passwordFrom: 'pw' } }), password], 'passwordFrom'),
  refused('nothing to write', [password], 'give no file'),
];

/** Returns the contents of the files of a mount, by path. */
async function mounted(objects: readonly Item[], flags: readonly string[] = []): Promise<ReadonlyMap<string, Buffer>> {
  const outcome = await world.mount({ objects, flags });
  if (outcome.kind === 'failed') throw new Error(outcome.message);
  return new Map(outcome.response.files.map(({ path, contents }) => [path, contents]));
}
const bytes = (files: ReadonlyMap<string, Buffer>, path: string) => files.get(path) ?? Buffer.alloc(0);

describe('the files of one certificate', () => {
  it.each(OUTPUTS)('$fact', (row) => checkRow(world, row));

  it.each([
    ['modern', 'pfx', c({ pfx: 'x' })],
    ['legacy', 'pfx', c({ pfx: { path: 'x', format: 'legacy' } })],
  ])('a %s pfx holds key and chain and is the same bytes at each mount', async (_, __, item) => {
    holding(pfx)(world);
    const [first, second] = [await mounted([item]), await mounted([item])];
    expect(bytes(second, 'x').equals(bytes(first, 'x'))).toBe(true);
    const { format, keys, certificates } = await readBundle(bytes(first, 'x'));
    expect(format).toBe('pkcs12');
    expect(sameKey(keys[0], rsa.leaf.key)).toBe(true);
    expect(fingerprints(certificates)).toEqual(fingerprints([own, intermediate, root]));
  });

  it('a pfx under a password of another object, its line end left out, opens with it alone', async () => {
    holding(pfx)(world);
    const files = await mounted([c({ pfx: { path: 'x', passwordFrom: 'pw' } }), password]);
    const { certificates } = await readBundle(bytes(files, 'x'), { password: new Secret(PASSWORD) });
    expect(certificates).toHaveLength(3);
    await expect(readBundle(bytes(files, 'x'))).rejects.toMatchObject({ code: 'ERR_BAD_CONTENT' });
  });

  it('a keystore holds key, chain and roots', async () => {
    holding(pfx)(world);
    const files = await mounted([c({ keystore: { path: 'x', passwordFrom: 'pw' } }), password]);
    const { keys, certificates } = await readBundle(bytes(files, 'x'), { password: new Secret(PASSWORD) });
    expect(keys).toHaveLength(1);
    expect(fingerprints(certificates)).toEqual(fingerprints([own, intermediate, root]));
  });

  it('a truststore holds the roots and nothing else', async () => {
    holding(pfx)(world);
    const files = await mounted([c({ truststore: { path: 'x', passwordFrom: 'pw' } }), password]);
    const { keys, certificates } = await readBundle(bytes(files, 'x'), { password: new Secret(PASSWORD) });
    expect(keys).toEqual([]);
    expect(fingerprints(certificates)).toEqual(fingerprints([root]));
  });

  it('a der opens as a certificate', async () => {
    holding(pfx)(world);
    expect(new X509Certificate(bytes(await mounted([c({ der: 'x' })]), 'x')).subject).toBe(own.subject);
  });
});

describe('files that cannot be', () => {
  it.each(REFUSED)('$fact', (row) => checkRow(world, row));
});

describe('--certificate-policy', () => {
  const EARLY = text(keyPem(early.key), early.certificate);
  const LATE = text(keyPem(expired.key), expired.certificate);
  const secret = { objectName: 'c', objectType: 'secret' };

  it.each([
    ['expired', LATE, secret],
    ['not valid before', EARLY, secret],
    ['expired', LATE, c({ fullChain: 'x' })],
  ])('warn delivers a certificate that is "%s", with one warning in the log', async (words, value, item) => {
    holding(value, PEM)(world);
    const flags = [`--custom-user-agent=${words.replaceAll(' ', '-')}-${'files' in item}`];
    const before = world.log.length;
    await mounted([item], flags);
    await mounted([item], flags);
    const warnings = world.log.slice(before).filter((line) => line.includes('"warn"') && line.includes(words));
    expect(warnings).toHaveLength(1);
  });

  it.each([
    ['expired', LATE, secret],
    ['not valid before', EARLY, secret],
    ['expired', LATE, c({ fullChain: 'x' })],
    ['expired', LATE_PFX, { ...secret, objectFormat: 'pfx' }],
  ])('enforce refuses a certificate that is "%s"', async (words, value, item) => {
    await checkRow(world, {
      fact: '',
      given: holding(value, value.startsWith('MII') ? PFX : PEM),
      objects: [item],
      flags: ['--certificate-policy=enforce'],
      fails: { code: FAILED_PRECONDITION, says: ['objectName:c,', words, '--certificate-policy'] },
    });
  });

  it('enforce refuses an expired cert object', async () => {
    const { emulator } = world;
    await emulator.createCertificate(VAULT, 'old', { validity: { from: '-2y', to: '-1y' } });
    const flags = ['--certificate-policy=enforce'];
    const fails = { code: FAILED_PRECONDITION, says: ['objectName:old,', 'expired'] };
    await checkRow(world, { fact: '', objects: [{ objectName: 'old', objectType: 'cert' }], flags, fails });
  });

  it('enforce delivers what is valid', async () => {
    await checkRow(world, made('', c({ privateKey: 'x' }), { x: key }, { flags: ['--certificate-policy=enforce'] }));
  });

  it.each([
    ['an incomplete chain', text(key, own), 'is missing'],
    ['a key that does not fit', text(keyPem(newKey('p-256')), pemOf(ec.certificates)), 'does not belong'],
    ['a stranger in the chain', text(ecPem, own), 'no place in the chain'],
  ])('warns of %s', async (what, value, words) => {
    holding(value, PEM)(world);
    const before = world.log.length;
    await mounted([secret], [`--custom-user-agent=${what.replaceAll(' ', '-')}`]);
    expect(world.log.slice(before).filter((line) => line.includes('"warn"') && line.includes(words))).toHaveLength(1);
  });
});
