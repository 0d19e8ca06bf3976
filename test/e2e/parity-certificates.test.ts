import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { PKCS12_FORMS, type Pkcs12Form, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { checkRow, type Item, openWorld, type ParityWorld, type Row, seedWith, VAULT } from '../support/parity.ts';
import { fingerprints, issue, issueChain, keyPem, newKey, pemOf, sameKey } from '../support/pki.ts';
import { plainPfx } from '../support/plain-pfx.ts';
import { rounds } from '../support/rounds.ts';

const { FAILED_PRECONDITION, INVALID_ARGUMENT, UNKNOWN } = status;
const PFX = 'application/x-pkcs12';
const PEM = 'application/x-pem-file';
const SPLIT = ['--write-cert-and-key-in-separate-files'];
const AS_STORED = ['--construct-pem-chain=false'];

const rsa = await issueChain({ keyType: 'rsa-2048', intermediates: 2 });
const ec = await issueChain({ keyType: 'p-256' });
const stranger = (await issue({ name: 'stranger.example' })).certificate;
const [rsaLeaf, rsaInner, rsaOuter, rsaRoot] = rsa.certificates;
const [ecLeaf, ecInner, ecRoot] = ec.certificates;
if (!rsaLeaf || !rsaInner || !rsaOuter || !rsaRoot || !ecLeaf || !ecInner || !ecRoot) throw new Error('short chains');
const rsaKey = keyPem(rsa.leaf.key);
const ecKey = keyPem(ec.leaf.key);

type Form = keyof typeof PKCS12_FORMS;
/** Returns the base64 of a PFX, by default in Key Vault's form. */
async function pfx(
  key: KeyObject | undefined,
  certificates: readonly X509Certificate[],
  form: Form | Partial<Pkcs12Form> = 'keyVault',
): Promise<string> {
  const base =
    typeof form === 'string'
      ? { ...PKCS12_FORMS[form], password: form === 'keyVault' ? null : new Secret('') }
      : { ...PKCS12_FORMS.modern, password: new Secret(''), ...form };
  const contents = { ...(key === undefined ? {} : { key }), certificates };
  return (await writePkcs12(contents, { ...base, seed: Buffer.from('parity') })).toString('base64');
}

let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(seedWith());
});
afterEach(() => world.emulator.faults.clear());
afterAll(() => world.close());

/** Returns a row about the secret `c` of a certificate. */
function stored(
  fact: string,
  value: string,
  contentType: string | undefined,
  row: Partial<Row> & { item?: Item },
): Row {
  const { item, ...rest } = row;
  return {
    fact,
    given: (w) => w.certificateSecret('c', value, contentType),
    objects: [{ objectName: 'c', objectType: 'secret', ...item }],
    ...rest,
  };
}

const rsaChain = pemOf([rsaLeaf, rsaInner, rsaOuter, rsaRoot]);
const ecChain = pemOf([ecLeaf, ecInner, ecRoot]);
const rootFirst = [ecRoot, ecInner, ecLeaf];

const KINDS = ['rsa-2048', 'rsa-4096', 'p-256', 'p-384', 'p-521', 'secp256k1', 'ed25519', 'rsa-pss'] as const;
const kindRows = await Promise.all(
  KINDS.map(async (keyType): Promise<Row> => {
    const { leaf, certificates } = await issueChain({ keyType });
    const value = await pfx(leaf.key, [...certificates].reverse());
    const files = { c: keyPem(leaf.key) + pemOf(certificates) };
    return stored(`a PFX with a key of kind ${keyType} becomes PKCS#8, then the chain`, value, PFX, { files });
  }),
);

/** Returns the PKCS#8 of an EC key without its public part, as Java writes it. */
function withoutPublicKey(key: KeyObject): KeyObject {
  const { d = '' } = key.export({ format: 'jwk' });
  const head = Buffer.from('3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420', 'hex');
  return createPrivateKey({ key: Buffer.concat([head, Buffer.from(d, 'base64url')]), format: 'der', type: 'pkcs8' });
}

const READING: readonly Row[] = [
  ...kindRows,
  stored('Key Vault’s own PFX: null password, root first', await pfx(ec.leaf.key, rootFirst, 'keyVault'), PFX, {
    files: { c: ecKey + ecChain },
    versions: ['secret/c *'],
    modes: [0o644],
  }),
  stored('a PFX of OpenSSL 3: AES-256, SHA-256', await pfx(ec.leaf.key, rootFirst, 'modern'), PFX, {
    files: { c: ecKey + ecChain },
  }),
  stored('a PFX of old tools: 3DES, SHA-1', await pfx(ec.leaf.key, rootFirst, 'legacy'), PFX, {
    files: { c: ecKey + ecChain },
  }),
  stored('a PFX without MAC', await pfx(ec.leaf.key, rootFirst, { mac: 'none' }), PFX, {
    files: { c: ecKey + ecChain },
  }),
  stored(
    'a PFX without any encryption',
    await pfx(ec.leaf.key, rootFirst, { keyCipher: 'none', certificateCipher: 'none' }),
    PFX,
    { files: { c: ecKey + ecChain } },
  ),
  stored('a PFX without a key: its certificates in order', await pfx(undefined, rootFirst), PFX, {
    files: { c: ecChain },
  }),
  stored('a PFX with one certificate', await pfx(ec.leaf.key, [ecLeaf]), PFX, {
    files: { c: ecKey + pemOf([ecLeaf]) },
  }),
  stored('base64 of a PFX in several lines', (await pfx(ec.leaf.key, rootFirst)).replace(/.{64}/g, '$&\r\n'), PFX, {
    files: { c: ecKey + ecChain },
  }),
  stored(
    'an EC key without public part gets it, since Go writes it',
    await pfx(withoutPublicKey(ec.leaf.key), [ecLeaf]),
    PFX,
    {
      files: { c: ecKey + pemOf([ecLeaf]) },
    },
  ),
  stored('PEM in order goes through byte for byte', `subject=x\r\n${ecKey}\n${ecChain}`, PEM, {
    files: { c: `subject=x\r\n${ecKey}\n${ecChain}` },
  }),
  stored('PEM that is damaged goes through byte for byte', `${ecKey}-----BEGIN CERTIFICATE-----\nAAAA\n`, PEM, {
    files: { c: `${ecKey}-----BEGIN CERTIFICATE-----\nAAAA\n` },
  }),
  stored('what is called PEM and is a PFX goes through as it is', await pfx(ec.leaf.key, rootFirst), PEM, {
    files: { c: await pfx(ec.leaf.key, rootFirst) },
  }),
  stored(
    'what is called PEM and is base64 of PEM goes through as it is',
    Buffer.from(pemOf(rootFirst)).toString('base64'),
    PEM,
    { files: { c: Buffer.from(pemOf(rootFirst)).toString('base64') } },
  ),
  stored('what is called a PFX and is PEM is read as PEM', ecKey + pemOf(rootFirst), PFX, {
    files: { c: ecKey + ecChain },
  }),
  stored('without content type a PFX is known by its content', await pfx(ec.leaf.key, rootFirst), undefined, {
    files: { c: ecKey + ecChain },
  }),
  stored('without content type PEM is known by its content', ecKey + ecChain, undefined, {
    files: { c: ecKey + ecChain },
  }),
];

const ofTwo = [ecLeaf, rsaLeaf, ecInner, rsaInner, rsaOuter, rsaRoot, ecRoot];
const SERVERS: readonly Row[] = [
  stored(
    'a PFX of two servers: the first key, and first the chain of that very key',
    plainPfx([rsa.leaf.key, ec.leaf.key], ofTwo).toString('base64'),
    PFX,
    { files: { c: rsaKey + ecKey + rsaChain + pemOf([ecLeaf, ecInner, ecRoot]) } },
  ),
  stored('PEM of two servers likewise', ecKey + rsaKey + pemOf(ofTwo.toReversed()), PEM, {
    files: { c: ecKey + rsaKey + ecChain + pemOf([rsaRoot, rsaOuter, rsaInner, rsaLeaf]) },
  }),
  stored(
    'a key without a certificate stands behind the one that has it',
    keyPem(newKey('p-256')) + ecKey + ecChain,
    PEM,
    {
      files: { c: new RegExp(`^${ecKey.replaceAll('+', '\\+')}`) },
    },
  ),
  {
    ...stored('a plain PFX of two servers as objectFormat pem', '', PFX, {}),
    given: ({ emulator }) =>
      emulator.setSecret(VAULT, 'two', plainPfx([rsa.leaf.key, ec.leaf.key], ofTwo).toString('base64')),
    objects: [{ objectName: 'two', objectType: 'secret', objectFormat: 'pem' }],
    files: { two: rsaKey + ecKey + rsaChain + pemOf([ecLeaf, ecInner, ecRoot]) },
  },
];

const REFUSED: readonly Row[] = [
  stored('without content type other contents are an error saying so', 'neither', undefined, {
    fails: { code: FAILED_PRECONDITION, says: ["unknown content type ''", 'objectName:c'] },
  }),
  stored('another content type is an error naming it', 'x', 'text/plain', {
    fails: { code: FAILED_PRECONDITION, says: ["failed to get certificate. unknown content type 'text/plain'"] },
  }),
  stored('the content type is held exactly', await pfx(ec.leaf.key, [ecLeaf]), 'application/X-PKCS12', {
    fails: { code: FAILED_PRECONDITION, says: ["unknown content type 'application/X-PKCS12'"] },
  }),
  stored(
    'a PFX under a password is an error',
    await pfx(ec.leaf.key, [ecLeaf], { password: new Secret('p4ss') }),
    PFX,
    {
      fails: { code: FAILED_PRECONDITION, says: ['objectName:c', /password/] },
    },
  ),
  stored('a PFX that is no base64 is an error', '%%%', PFX, {
    fails: { code: FAILED_PRECONDITION, says: ['objectName:c', /neither PKCS#12 nor PEM nor DER/] },
  }),
  stored('an empty PFX is an error', '', PFX, {
    fails: { code: FAILED_PRECONDITION, says: ['objectName:c', /empty/] },
  }),
  stored('a PFX cut short is an error', (await pfx(ec.leaf.key, [ecLeaf])).slice(0, 400), PFX, {
    fails: { code: FAILED_PRECONDITION, says: ['objectName:c', /truncated or damaged/] },
  }),
];

const CHAIN: readonly Row[] = [
  stored('PEM out of order is put in order, the key first', ecChain.concat(ecKey), PEM, {
    files: { c: ecChain.concat(ecKey) },
  }),
  stored('PEM root first becomes leaf first', ecKey + pemOf(rootFirst), PEM, { files: { c: ecKey + ecChain } }),
  stored('a chain of four', await pfx(rsa.leaf.key, [rsaOuter, rsaLeaf, rsaRoot, rsaInner]), PFX, {
    files: { c: rsaKey + rsaChain },
  }),
  stored('a doubled root is written once', await pfx(ec.leaf.key, [ecRoot, ecRoot, ecInner, ecLeaf]), PFX, {
    files: { c: ecKey + ecChain },
  }),
  stored('a doubled root in PEM is written once', ecKey + pemOf([ecRoot, ecRoot, ecInner, ecLeaf]), PEM, {
    files: { c: ecKey + ecChain },
  }),
  stored('nothing but one root, twice', pemOf([ecRoot, ecRoot]), PEM, { files: { c: pemOf([ecRoot]) } }),
  stored(
    'a missing intermediate: leaf first, the rest behind',
    await pfx(rsa.leaf.key, [rsaRoot, rsaOuter, rsaLeaf]),
    PFX,
    {
      files: { c: rsaKey + pemOf([rsaLeaf, rsaRoot, rsaOuter]) },
    },
  ),
  stored('a missing root', await pfx(ec.leaf.key, [ecInner, ecLeaf]), PFX, {
    files: { c: ecKey + pemOf([ecLeaf, ecInner]) },
  }),
  stored('a stranger stands behind the chain', await pfx(ec.leaf.key, [stranger, ecRoot, ecInner, ecLeaf]), PFX, {
    files: { c: ecKey + ecChain + pemOf([stranger]) },
  }),
  stored('two leaves: the one of the key first', await pfx(ec.leaf.key, [stranger, ecLeaf]), PFX, {
    files: { c: ecKey + pemOf([ecLeaf, stranger]) },
  }),
  stored('--construct-pem-chain=false keeps the order of a PFX', await pfx(ec.leaf.key, rootFirst), PFX, {
    flags: AS_STORED,
    files: { c: ecKey + pemOf(rootFirst) },
  }),
  stored('--construct-pem-chain=false keeps PEM', ecKey + pemOf(rootFirst), PEM, {
    flags: AS_STORED,
    files: { c: ecKey + pemOf(rootFirst) },
  }),
  stored(
    '--construct-pem-chain=false keeps doubled certificates',
    await pfx(ec.leaf.key, [ecRoot, ecRoot, ecLeaf]),
    PFX,
    {
      flags: AS_STORED,
      files: { c: ecKey + pemOf([ecRoot, ecRoot, ecLeaf]) },
    },
  ),
];

const storedPfx = await pfx(ec.leaf.key, rootFirst);
const lockedPfx = await pfx(ec.leaf.key, rootFirst, { password: new Secret('p4ss') });
const FORMATS: readonly Row[] = [
  ...['pem', 'PEM', ''].map((objectFormat) =>
    stored(`objectFormat ${JSON.stringify(objectFormat)} of a PFX is PEM`, storedPfx, PFX, {
      item: { objectFormat },
      files: { c: ecKey + ecChain },
    }),
  ),
  ...['pfx', 'PFX', 'Pfx'].map((objectFormat) =>
    stored(`objectFormat ${objectFormat} is the PFX as it is, in base64`, storedPfx, PFX, {
      item: { objectFormat },
      files: { c: storedPfx },
    }),
  ),
  stored('objectFormat pfx with objectEncoding base64 is the binary PFX', storedPfx, PFX, {
    item: { objectFormat: 'pfx', objectEncoding: 'base64' },
    files: { c: Buffer.from(storedPfx, 'base64') },
  }),
  stored('objectFormat pfx with objectEncoding utf-8 stays base64', storedPfx, PFX, {
    item: { objectFormat: 'pfx', objectEncoding: 'utf-8' },
    files: { c: storedPfx },
  }),
  stored('objectFormat pfx with objectEncoding hex cannot be', storedPfx, PFX, {
    item: { objectFormat: 'pfx', objectEncoding: 'hex' },
    fails: { code: FAILED_PRECONDITION, says: ['objectName:c', 'encoding/hex'] },
  }),
  stored('PEM of a PFX is no base64', storedPfx, PFX, {
    item: { objectEncoding: 'base64' },
    fails: { code: FAILED_PRECONDITION, says: ['objectName:c', 'illegal base64 data at input byte 0'] },
  }),
  {
    fact: 'objectFormat pfx is for secrets only, in capitals too',
    objects: [{ objectName: 'c', objectType: 'cert', objectFormat: 'PFX' }],
    vaultRequests: 0,
    fails: { code: INVALID_ARGUMENT, says: ['PFX format only supported for objectType: secret'] },
  },
  {
    fact: 'objectFormat must be pem or pfx',
    objects: [{ objectName: 'c', objectType: 'secret', objectFormat: 'der' }],
    vaultRequests: 0,
    fails: { code: INVALID_ARGUMENT, says: ['invalid objectFormat: der, should be PEM or PFX'] },
  },
];

/** Returns a row about a secret that does not belong to a certificate. */
const kidless = (fact: string, value: string, contentType: string, item: Item, files: Row['files']): Row => ({
  fact,
  given: ({ emulator }) => emulator.setSecret(VAULT, 'plain', value, { contentType }),
  objects: [{ objectName: 'plain', objectType: 'secret', ...item }],
  files,
});

const KIDLESS: readonly Row[] = [
  kidless('a PFX that is a plain secret stays base64', storedPfx, PFX, {}, { plain: storedPfx }),
  kidless(
    '… with objectEncoding base64 it is binary',
    storedPfx,
    PFX,
    { objectEncoding: 'base64' },
    {
      plain: Buffer.from(storedPfx, 'base64'),
    },
  ),
  kidless('… with objectFormat pfx it stays base64', storedPfx, PFX, { objectFormat: 'pfx' }, { plain: storedPfx }),
  kidless('… objectFormat pem converts it', storedPfx, PFX, { objectFormat: 'pem' }, { plain: ecKey + ecChain }),
  kidless('… whatever its content type', storedPfx, 'x/y', { objectFormat: 'pem' }, { plain: ecKey + ecChain }),
  kidless(
    '… unless objectEncoding asks for its bytes',
    storedPfx,
    PFX,
    { objectFormat: 'pem', objectEncoding: 'base64' },
    { plain: Buffer.from(storedPfx, 'base64') },
  ),
  kidless('… unless it has a password', lockedPfx, PFX, { objectFormat: 'pem' }, { plain: lockedPfx }),
  kidless(
    '… unless it has a password, with objectEncoding base64 too',
    lockedPfx,
    PFX,
    { objectFormat: 'pem', objectEncoding: 'base64' },
    { plain: Buffer.from(lockedPfx, 'base64') },
  ),
  kidless(
    'objectFormat pem changes no other secret',
    'hunter2',
    'text/plain',
    { objectFormat: 'pem' },
    { plain: 'hunter2' },
  ),
  kidless('PEM that is a plain secret is not put in order', pemOf(rootFirst), PEM, {}, { plain: pemOf(rootFirst) }),
  {
    ...kidless('a plain secret is never split', ecKey + ecChain, PEM, {}, { plain: ecKey + ecChain }),
    flags: SPLIT,
    versions: ['secret/plain *'],
  },
];

const SPLITTING: readonly Row[] = [
  stored('certificates, key and both, in this order, each with a row of its own', storedPfx, PFX, {
    flags: SPLIT,
    files: { 'c.crt': ecChain, 'c.key': ecKey, c: ecKey + ecChain },
    versions: ['secret/c *', 'secret/c *', 'secret/c *'],
    modes: [0o644, 0o644, 0o644],
  }),
  stored('the suffix follows the alias, and the mode holds for all', storedPfx, PFX, {
    flags: SPLIT,
    item: { objectAlias: 'tls/server', filePermission: '0400' },
    files: { 'tls/server.crt': ecChain, 'tls/server.key': ecKey, 'tls/server': ecKey + ecChain },
    modes: [0o400, 0o400, 0o400],
  }),
  stored('of PEM too, text between blocks left out', `# key\n${ecKey}# chain\n${ecChain}`, PEM, {
    flags: SPLIT,
    files: { 'c.crt': ecChain, 'c.key': ecKey, c: `# key\n${ecKey}# chain\n${ecChain}` },
  }),
  stored('no empty files beside a PFX', storedPfx, PFX, {
    flags: SPLIT,
    item: { objectFormat: 'pfx' },
    files: { c: storedPfx },
    versions: ['secret/c *'],
  }),
  stored('no empty files beside a PFX made of PEM', ecKey + ecChain, PEM, {
    flags: SPLIT,
    item: { objectFormat: 'pfx' },
    files: { c: /^MII/ },
  }),
  stored('each part is decoded, which PEM cannot be', storedPfx, PFX, {
    flags: SPLIT,
    item: { objectEncoding: 'hex' },
    fails: { code: FAILED_PRECONDITION, says: ['objectName:c', 'encoding/hex'] },
  }),
  stored(
    'other blocks than certificates go to the key',
    `${ecKey}-----BEGIN DH PARAMETERS-----\nMAYCAQUCAQI=\n-----END DH PARAMETERS-----\n${ecChain}`,
    PEM,
    {
      flags: SPLIT,
      files: {
        'c.crt': ecChain,
        'c.key': `${ecKey}-----BEGIN DH PARAMETERS-----\nMAYCAQUCAQI=\n-----END DH PARAMETERS-----\n`,
        c: /DH PARAMETERS/,
      },
    },
  ),
  {
    fact: 'keys and cert objects are never split',
    flags: SPLIT,
    given: ({ emulator }) => emulator.createCertificate(VAULT, 'issued'),
    objects: [
      { objectName: 'issued', objectType: 'cert', objectAlias: 'a' },
      { objectName: 'issued', objectType: 'key', objectAlias: 'b' },
    ],
    files: { a: /^-----BEGIN CERTIFICATE-----/, b: /^-----BEGIN PUBLIC KEY-----/ },
  },
  {
    ...stored('a path that splitting makes may not be another object’s', storedPfx, PFX, { flags: SPLIT }),
    objects: [
      { objectName: 'c', objectType: 'secret' },
      { objectName: 'other', objectType: 'secret', objectAlias: 'c.crt' },
    ],
    given: (w) => {
      w.certificateSecret('c', storedPfx, PFX);
      w.emulator.setSecret(VAULT, 'other', 'v');
    },
    fails: { code: INVALID_ARGUMENT, says: ['"c.crt"', 'objectName:c,', 'objectName:other,'] },
  },
];

const CERT: readonly Row[] = [
  {
    fact: 'a cert is its leaf alone, as PEM',
    given: async ({ emulator }) => {
      await emulator.createCertificate(VAULT, 'leaf', { content: undefined } as object);
      emulator.faults.add({
        on: 'vault',
        object: 'leaf',
        action: { kind: 'edit', set: { cer: ecLeaf.raw.toString('base64') } },
      });
    },
    objects: [{ objectName: 'leaf', objectType: 'cert' }],
    files: { leaf: ecLeaf.toString() },
    versions: ['cert/leaf *'],
  },
  {
    fact: 'bytes of a cert are not looked into',
    given: async ({ emulator }) => {
      await emulator.createCertificate(VAULT, 'leaf');
      emulator.faults.add({ on: 'vault', object: 'leaf', action: { kind: 'edit', set: { cer: 'dGVzdA==' } } });
    },
    objects: [{ objectName: 'leaf', objectType: 'cert' }],
    files: { leaf: '-----BEGIN CERTIFICATE-----\ndGVzdA==\n-----END CERTIFICATE-----\n' },
  },
  ...(
    [
      ['cer', 'certificate value is nil'],
      ['id', 'certificate id is nil'],
    ] as const
  ).map(
    ([field, words]): Row => ({
      fact: `a cert without ${field} is an error naming object and field`,
      given: async ({ emulator }) => {
        await emulator.createCertificate(VAULT, 'leaf');
        emulator.faults.add({ on: 'vault', object: 'leaf', action: { kind: 'edit', remove: [field] } });
      },
      objects: [{ objectName: 'leaf', objectType: 'cert' }],
      fails: { code: UNKNOWN, says: [words, 'objectName:leaf', `"${field}"`] },
    }),
  ),
];

describe('contents of certificate-backed secrets', () => {
  it.each(READING)('$fact', (row) => checkRow(world, row));
});

describe('contents with the keys of two servers', () => {
  it.each(SERVERS)('$fact', async (row) => {
    const before = world.log.length;
    await checkRow(world, { ...row, flags: [`--custom-user-agent=${SERVERS.indexOf(row)}`] });
    const warnings = world.log.slice(before).filter((line) => line.includes('"several_keys"'));
    expect(warnings).toHaveLength(row.fact.includes('two servers') ? 1 : 0);
  });
});

describe('contents that are refused', () => {
  it.each(REFUSED)('$fact', (row) => checkRow(world, row));
});

describe('the order of chains', () => {
  it.each(CHAIN)('$fact', (row) => checkRow(world, row));

  it('is found from every permutation, as PFX and as PEM', async () => {
    const all = [rsaLeaf, rsaInner, rsaOuter, rsaRoot];
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(all, { minLength: 4 }), fc.boolean(), async (order, asPem) => {
        const value = asPem ? rsaKey + pemOf(order) : await pfx(rsa.leaf.key, order);
        await checkRow(world, stored('', value, asPem ? PEM : PFX, { files: { c: rsaKey + rsaChain } }));
        world.emulator.faults.clear();
      }),
      { numRuns: rounds(8, 24) },
    );
  });
});

describe('contents without a private key', () => {
  it.each([
    ['PEM', ecChain, PEM, { c: ecChain }],
    ['PEM whose line breaks are gone', ecChain.replaceAll('\n', '\\n'), PEM, { c: ecChain }],
  ])('are delivered, with a warning that says it once: %s', async (what, value, contentType, files) => {
    const before = world.log.length;
    const flags = [`--custom-user-agent=${what.length}`];
    const row = stored('', value, contentType, { files });
    for (const _again of [1, 2]) await checkRow(world, { ...row, flags });
    const warnings = world.log.slice(before).filter((line) => line.includes('"no_private_key"'));
    expect(warnings).toEqual([expect.stringContaining('Certificate \\"c\\": there is no private key')]);
  });
});

describe('objectFormat', () => {
  it.each(FORMATS)('$fact', (row) => checkRow(world, row));

  it.each([
    ['in base64', {}],
    ['binary with objectEncoding base64', { objectEncoding: 'base64' }],
  ])('pfx of PEM makes a PFX, %s, the same bytes each time', async (_, more) => {
    world.certificateSecret('c', ecKey + pemOf(rootFirst), PEM);
    const asked = { objects: [{ objectName: 'c', objectType: 'secret', objectFormat: 'pfx', ...more }] };
    const contents: Buffer[] = [];
    for (const _again of [1, 2]) {
      const outcome = await world.mount(asked);
      if (outcome.kind === 'failed') throw new Error(outcome.message);
      contents.push(...outcome.response.files.map((file) => file.contents));
    }
    const [first = Buffer.alloc(0), second] = contents;
    expect(contents).toHaveLength(2);
    expect(second?.equals(first)).toBe(true);
    expect(first[0]).toBe('objectEncoding' in more ? 0x30 : 'M'.charCodeAt(0));
    const { format, keys, certificates } = await readBundle(first);
    expect(format).toBe('pkcs12');
    expect(sameKey(keys[0], ec.leaf.key)).toBe(true);
    expect(fingerprints(certificates)).toEqual(fingerprints([ecLeaf, ecInner, ecRoot]));
  });

  it.each([
    ['without a key', ecChain],
    ['whose key belongs to another certificate', keyPem(newKey('p-256')) + ecChain],
  ])('pfx of PEM %s cannot be made, and the PEM goes through as it does officially', async (_, value) => {
    const before = world.log.length;
    await checkRow(world, stored('', value, PEM, { item: { objectFormat: 'pfx' }, files: { c: value } }));
    expect(world.log.slice(before).filter((line) => line.includes('"not_converted"'))).toHaveLength(1);
  });
});

describe('secrets behind which no certificate stands', () => {
  it.each(KIDLESS)('$fact', (row) => checkRow(world, row));
});

describe('--write-cert-and-key-in-separate-files', () => {
  it.each(SPLITTING)('$fact', (row) => checkRow(world, row));
});

describe('objectType cert', () => {
  it.each(CERT)('$fact', (row) => checkRow(world, row));
});
