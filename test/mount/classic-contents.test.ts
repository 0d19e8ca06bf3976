import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { CertificateCache } from '../../src/mount/convert/certificate-cache.ts';
import { convertObjects } from '../../src/mount/convert/convert.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { writePem } from '../../src/pki/pem.ts';
import { PKCS12_FORMS, type Pkcs12Form, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import type { ContentSpec } from '../../src/spc/model.ts';
import {
  convertContext,
  fetchedSecret,
  keptLog,
  manualClock,
  objectSpec,
  read,
  valueContent,
} from '../support/mount.ts';
import { issue, issueChain, keyPem, newKey, pemOf, randomOf } from '../support/pki.ts';
import { plainPfx } from '../support/plain-pfx.ts';
import { rounds } from '../support/rounds.ts';

const PFX = 'application/x-pkcs12';
const PEM = 'application/x-pem-file';

/** The form of a secret in the vault and in its manifest: the columns of the official provider's table. */
interface Case {
  readonly certificateBacked: boolean;
  readonly contentType: string;
  readonly format: '' | 'pem' | 'pfx';
  readonly encoding: 'utf-8' | 'base64' | 'hex';
  readonly split: boolean;
  readonly orderChain: boolean;
}

const STORED = [
  { certificateBacked: false, contentType: PFX },
  { certificateBacked: true, contentType: PEM },
  { certificateBacked: true, contentType: PFX },
] as const;
const CASES: readonly Case[] = STORED.flatMap((stored) =>
  (['', 'pem', 'pfx'] as const).flatMap((format) =>
    (['utf-8', 'base64', 'hex'] as const).flatMap((encoding) =>
      [false, true].flatMap((split) =>
        [false, true].map((orderChain) => ({ ...stored, format, encoding, split, orderChain })),
      ),
    ),
  ),
);

/** A value in a vault. */
interface Sample {
  readonly value: string;
  /** True if golang.org/x/crypto/pkcs12, which the official provider uses, can convert it to PEM. */
  readonly goReads?: boolean;
}

const SAMPLES = new Map<string, Sample>();

beforeAll(async () => {
  const chain = await issueChain({ keyType: 'rsa-2048' });
  const other = await issueChain({ names: ['other', 'Other Inner', 'Other Root'] });
  const { certificates, leaf } = chain;
  const key = keyPem(leaf.key);
  const pem = key + pemOf(certificates);
  const rootFirst = certificates.toReversed();
  const form = async (more: Partial<Pkcs12Form>, withKey = true) => {
    const contents = { key: withKey ? leaf.key : undefined, certificates: rootFirst };
    const base = { ...PKCS12_FORMS.modern, password: new Secret(''), seed: Buffer.from('x'), iterations: 8 };
    return (await writePkcs12(contents, { ...base, ...more })).toString('base64');
  };
  const locked = { password: new Secret('p4ss') };
  const old = { ...PKCS12_FORMS.keyVault, password: null, iterations: 8 };
  const pfx = await form({});
  const damaged = Buffer.from(pfx, 'base64');
  damaged.fill(0, damaged.length / 2, damaged.length / 2 + 40);
  const costly = Buffer.from(await form({ ...old, macIterations: 0x011170 }), 'base64');
  costly.fill(0x7f, costly.length - 3);
  const two = [leaf.key, other.leaf.key];
  const bothChains = [...other.certificates, ...certificates];
  const manyKeys = Array.from({ length: 21 }, () => newKey('p-256'));
  const encrypted = leaf.key.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' });
  const oldEncrypted = leaf.key.export({ format: 'pem', type: 'pkcs1', cipher: 'aes-128-cbc', passphrase: 'x' });
  const commented = pem.replace(/^(?=.)/gm, '# ');
  const jks = Buffer.concat([Buffer.from('feedfeed00000002', 'hex'), randomBytes(200)]);
  const samples: Readonly<Record<string, string | Sample>> = {
    'a PFX': pfx,
    'a PFX of Key Vault': { value: await form(old), goReads: true },
    'a PFX in lines': { value: (await form(old)).replace(/.{64}/g, '$&\r\n'), goReads: true },
    'a PFX with a password': await form(locked),
    'an old PFX with a password': await form({ ...PKCS12_FORMS.legacy, ...locked }),
    'a truststore with a password': await form(locked, false),
    'a PFX without key': await form({}, false),
    'a PFX of two servers': plainPfx(two, bothChains).toString('base64'),
    'a PFX whose key fits nothing': plainPfx([newKey('p-256')], certificates).toString('base64'),
    'a PFX with too many keys': plainPfx(manyKeys, certificates).toString('base64'),
    'a PFX that asks for too much work': costly.toString('base64'),
    'a PFX damaged inside': damaged.toString('base64'),
    'a PFX cut short': pfx.slice(0, 400),
    'a PFX with a blank': `${pfx.slice(0, 80)} ${pfx.slice(80)}`,
    'a PFX in the alphabet of URLs': pfx.replaceAll('+', '-').replaceAll('/', '_'),
    'a PFX in base64 twice': Buffer.from(pfx).toString('base64'),
    'a PFX in hexadecimal': Buffer.from(pfx, 'base64').toString('hex'),
    'a Java keystore': jks.toString('base64'),
    PEM: pem,
    'PEM root first': key + pemOf(rootFirst),
    'PEM, CRLF': pem.replaceAll('\n', '\r\n'),
    'PEM in base64': Buffer.from(pem).toString('base64'),
    'PEM in hexadecimal': Buffer.from(pem).toString('hex'),
    'PEM of certificates alone': pemOf(rootFirst),
    'PEM of a key alone': key,
    'PEM of two servers': two.map(keyPem).join('') + pemOf(bothChains),
    'PEM whose key fits nothing': keyPem(newKey('p-256')) + pemOf(rootFirst),
    'PEM with a key in the way of OpenSSH': `-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n${pemOf(rootFirst)}`,
    'PEM with an encrypted key': `${encrypted}${pemOf(rootFirst)}`,
    'PEM with an old encrypted key': `${oldEncrypted}${pemOf(rootFirst)}`,
    'PEM with a damaged certificate': `${key}${writePem('CERTIFICATE', Buffer.from('damaged'))}${pemOf(rootFirst)}`,
    'PEM with a damaged key': `${writePem('PRIVATE KEY', Buffer.from('damaged'))}${pemOf(rootFirst)}`,
    'PEM with a block that is no base64': `-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n${pem}`,
    'PEM cut off': pem.slice(0, -400),
    'PEM with a commented block': `${commented}${key}${commented}${pemOf(rootFirst)}${commented}`,
    'PEM with a request': `${key}${writePem('CERTIFICATE REQUEST', Buffer.from('3000', 'hex'))}${pemOf(rootFirst)}`,
    'PEM that holds a PFX': writePem('PKCS12', Buffer.from(pfx, 'base64')),
    'PEM with too many keys': manyKeys.map(keyPem).join('') + pemOf(rootFirst),
    'PEM with too many blocks': writePem('X509 CRL', Buffer.from('3000', 'hex')).repeat(1200),
    DER: certificates[0]?.raw.toString('base64') ?? '',
    'a word': 'hunter2',
    'a word in base64': 'aHVudGVyMg==',
    nothing: '',
    JSON: JSON.stringify({ data: pfx, password: '' }),
    'what is too long to be read': 'QUJD'.repeat(100_000),
  };
  for (const [name, sample] of Object.entries(samples)) {
    SAMPLES.set(name, typeof sample === 'string' ? { value: sample } : sample);
  }
});

/** Returns true if Go's encoding/base64 or encoding/hex accepts a text. */
function decodes(text: string, encoding: Case['encoding']): boolean {
  const joined = text.replace(/[\r\n]/g, '');
  switch (encoding) {
    case 'utf-8':
      return true;
    case 'base64':
      return joined.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(joined);
    case 'hex':
      return text.length % 2 === 0 && /^[0-9A-Fa-f]*$/.test(text);
  }
}

/** Returns whether the official provider mounts it, and whether it then writes the value unchanged. */
function officially({ value, goReads = false }: Sample, one: Case): { mounts: boolean; passesOn: boolean } {
  const makesPem = one.certificateBacked && one.contentType === PFX && one.format !== 'pfx';
  if (makesPem) return { mounts: goReads && one.encoding === 'utf-8', passesOn: false };
  const splits = one.certificateBacked && one.split;
  // The official provider also decodes the parts. It cannot decode parts that are PEM.
  const partsDecode = one.encoding === 'utf-8' || !value.includes('-----BEGIN');
  return { mounts: decodes(value, one.encoding) && (!splits || partsDecode), passesOn: true };
}

/** Mounts a value with this provider and returns the result. */
async function mounted(value: string, one: Case, contents = new CertificateCache(new Sweeper(manualClock()))) {
  const { certificateBacked, contentType, ...content } = one;
  const { log, lines } = keptLog();
  const object = objectSpec('c', { content: valueContent('c', content satisfies Partial<ContentSpec>) });
  const all = [read(object, fetchedSecret(value, { certificateBacked, contentType }))];
  const made = await convertObjects(all, convertContext({ contents, log })).then(
    ({ made }) => made,
    (thrown: unknown) => thrown,
  );
  if (made instanceof Error) {
    expect(made).toBeInstanceOf(ProviderError);
    expect(made).toMatchObject({ code: 'ERR_BAD_CONTENT' });
    return { files: undefined, reasons: [] as unknown[] };
  }
  const files = new Map(
    (made as { file: { path: string; contents: Buffer } }[]).map(({ file }) => [file.path, file.contents]),
  );
  return { files, reasons: lines.map(({ fields }) => fields.reason) };
}

function bytesOf(value: string, encoding: Case['encoding']): Buffer {
  return Buffer.from(value, encoding === 'utf-8' ? 'utf8' : encoding);
}

describe('a classic secret that the official provider mounts', () => {
  it('mounts here: every content, stored in every way, under every field and flag', async () => {
    const contents = new CertificateCache(new Sweeper(manualClock()));
    const seen = { mounted: 0, asItIs: 0, converted: 0 };
    for (const [name, sample] of SAMPLES) {
      for (const one of CASES) {
        const what = `${name} ${JSON.stringify(one)}`;
        const { mounts, passesOn } = officially(sample, one);
        if (!mounts) continue;
        const { files, reasons } = await mounted(sample.value, one, contents);
        expect(files, what).toBeDefined();
        seen.mounted++;
        const isAsItIs = files?.get('c')?.equals(bytesOf(sample.value, one.encoding));
        if (isAsItIs) seen.asItIs++;
        else seen.converted++;
        if (!passesOn || isAsItIs) continue;
        // Otherwise it is a conversion that the changelog lists, and no warning reports a failure.
        expect(reasons, what).not.toContain('not_converted');
        const isOrdered = one.contentType === PEM && one.format !== 'pfx' && one.orderChain;
        const isMadePfx = one.contentType === PEM && one.format === 'pfx' && one.encoding !== 'hex';
        const isMadePem = !one.certificateBacked && one.format === 'pem' && one.encoding === 'utf-8';
        expect([isOrdered, isMadePfx, isMadePem], what).toContain(true);
      }
    }
    expect(seen.mounted).toBeGreaterThan(1000);
    expect(seen.asItIs).toBeGreaterThan(1000);
    expect(seen.converted).toBeGreaterThan(50);
  });

  it('is split into the parts that can be read, and as official into empty ones', async () => {
    const split = { ...CASES[0], certificateBacked: true, contentType: PEM, format: '', encoding: 'utf-8' } as const;
    const one: Case = { ...split, split: true, orderChain: true };
    const partsOf = async (name: string) => {
      const { files } = await mounted(SAMPLES.get(name)?.value ?? '', one);
      const count = (path: string, label: string) =>
        files?.get(path)?.toString().split(`-----BEGIN ${label}-----`).length ?? 0;
      return [count('c.crt', 'CERTIFICATE') - 1, count('c.key', 'PRIVATE KEY') - 1];
    };
    expect(await partsOf('PEM')).toEqual([3, 1]);
    expect(await partsOf('PEM with a block that is no base64')).toEqual([3, 1]);
    expect(await partsOf('PEM with a commented block')).toEqual([3, 1]);
    expect(await partsOf('PEM with a damaged certificate')).toEqual([4, 1]);
    expect(await partsOf('PEM cut off')).toEqual([2, 1]);
    expect(await partsOf('a PFX')).toEqual([0, 0]);
  });

  it('mounts whatever was damaged in it, where it is passed on', async () => {
    const passedOn = CASES.filter((one) => !(one.certificateBacked && one.contentType === PFX && one.format !== 'pfx'));
    const values = [...SAMPLES.values()].map(({ value }) => value).filter(({ length }) => length < 20_000);
    const random = randomOf(7);
    const contents = new CertificateCache(new Sweeper(manualClock()));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...values), fc.constantFrom(...passedOn), fc.nat(), async (value, one, at) => {
        const cut = at % (value.length + 1);
        const damage = String.fromCharCode(32 + Math.floor(random() * 95));
        const text = random() < 0.3 ? value.slice(0, cut) : value.slice(0, cut) + damage + value.slice(cut + 1);
        if (!officially({ value: text }, one).mounts) return;
        expect((await mounted(text, one, contents)).files).toBeDefined();
      }),
      { numRuns: rounds(100, 400) },
    );
  });
});

describe('a conversion that the official provider does not make', () => {
  const plain: Case = {
    certificateBacked: false,
    contentType: PFX,
    format: 'pem',
    encoding: 'utf-8',
    split: false,
    orderChain: true,
  };
  const backed: Case = { ...plain, certificateBacked: true, contentType: PEM, format: 'pfx' };

  it.each([
    ['a PFX with a password', plain],
    ['a truststore with a password', plain],
    ['a PFX damaged inside', plain],
    ['a PFX with too many keys', plain],
    ['a PFX', { ...plain, encoding: 'base64' }],
    ['a PFX with a password', { ...plain, encoding: 'base64' }],
    ['PEM of certificates alone', backed],
    ['PEM whose key fits nothing', backed],
    ['PEM with an encrypted key', backed],
    ['PEM with a damaged certificate', backed],
    ['a word', backed],
    ['PEM in hexadecimal', { ...backed, encoding: 'hex' }],
  ] as const)('is said not to be made, with what to do: %s', async (name, one) => {
    const { value = '' } = SAMPLES.get(name) ?? {};
    const { files, reasons } = await mounted(value, one);
    expect(files?.get('c')).toEqual(bytesOf(value, one.encoding));
    expect(reasons).toContain('not_converted');
  });

  it.each([
    ['a PFX', plain, 'pem'],
    ['a PFX of two servers', plain, 'pem'],
    ['a PFX in base64 twice', plain, 'pem'],
    ['PEM', backed, 'pkcs12'],
    ['PEM of two servers', { ...backed, encoding: 'base64' }, 'pkcs12'],
  ] as const)('is made where it can be: %s', async (name, one, format) => {
    const { files, reasons } = await mounted(SAMPLES.get(name)?.value ?? '', one);
    const bundle = await readBundle(files?.get('c') ?? Buffer.alloc(0));
    expect(bundle.format).toBe(format);
    expect(reasons).not.toContain('not_converted');
    expect(reasons.includes('several_keys')).toBe(name.includes('two servers'));
    const [leaf] = bundle.certificates;
    expect(bundle.keys[0] && leaf?.checkPrivateKey(bundle.keys[0])).toBe(true);
  });

  it('fails where neither the result nor the value can be decoded, for the reason that helps', async () => {
    const { value = '' } = SAMPLES.get('PEM of certificates alone') ?? {};
    const one = { ...backed, encoding: 'base64' } as const;
    const { certificateBacked, contentType, ...content } = one;
    const all = [
      read(
        objectSpec('c', { content: valueContent('c', content) }),
        fetchedSecret(value, { certificateBacked, contentType }),
      ),
    ];
    await expect(convertObjects(all, convertContext())).rejects.toThrow('it holds no private key');
  });

  it('is refused all the same for a date where the policy says so', async () => {
    const late = await issue({ name: 'late', notAfter: new Date('2021-01-01') });
    const value = plainPfx([late.key], [late.certificate]).toString('base64');
    const { certificateBacked, contentType, ...content } = plain;
    const all = [
      read(
        objectSpec('c', { content: valueContent('c', content) }),
        fetchedSecret(value, { certificateBacked, contentType }),
      ),
    ];
    await expect(convertObjects(all, convertContext({ certificatePolicy: 'enforce' }))).rejects.toThrow('expired');
  });
});
