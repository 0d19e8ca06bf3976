import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { readBundle } from '../../src/pki/bundle.ts';
import { pairKey } from '../../src/pki/certified-key.ts';
import { examine } from '../../src/pki/findings.ts';
import { subjectOf, subjectsOf } from '../../src/pki/names.ts';
import { upstreamPem, upstreamPemOfText } from '../../src/pki/official-pem.ts';
import { OUTPUT_KINDS } from '../../src/pki/outputs.ts';
import { missingFor, writeOutput } from '../../src/pki/write.ts';
import { type Issued, issue, issueChain, type KeyType, keyPem, newKey, pemOf } from '../support/pki.ts';
import { plainPfx } from '../support/plain-pfx.ts';
import { rounds } from '../support/rounds.ts';

const seed = Buffer.from('version');
const WITH_IDENTITY = [
  'certificate',
  'chain',
  'fullChain',
  'der',
  'privateKey',
  'combined',
  'pfx',
  'keystore',
] as const;

/** The changes of a renewal: serial number, dates and therefore the fingerprint. The key is the same. */
interface Renewal {
  readonly days: number;
  readonly years: number;
}

const renewal: fc.Arbitrary<Renewal> = fc.record({
  days: fc.integer({ min: 0, max: 3 }),
  years: fc.integer({ min: 0, max: 2 }),
});

let authorities: { readonly root: Issued; readonly inner: Issued };
beforeAll(async () => {
  const root = await issue({ name: 'Root', ca: true });
  authorities = { root, inner: await issue({ name: 'Inner', ca: true, issuer: root }) };
});

async function renewed(name: string, key: KeyObject, { days, years }: Renewal): Promise<X509Certificate> {
  const dates = { notBefore: new Date(Date.UTC(2024, 0, 1 + days)), notAfter: new Date(Date.UTC(2030 + years, 0, 1)) };
  return (await issue({ name, key, issuer: authorities.inner, ...dates })).certificate;
}

async function read(content: Buffer) {
  const bundle = await readBundle(content);
  return { bundle, material: await pairKey(bundle) };
}

describe('two private keys, each with a certificate of its own', () => {
  const localhost = newKey('p-256');
  const other = newKey('p-256');

  it('serve the first one of the content, whatever renewals do, key and leaf of one pair', async () => {
    const layouts = fc.record({
      firstKey: fc.constantFrom('localhost', 'other'),
      certificates: fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
      withStranger: fc.boolean(),
      copies: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(layouts, fc.array(renewal, { minLength: 2, maxLength: 4 }), async (layout, renewals) => {
        const { firstKey, certificates: order, withStranger, copies } = layout;
        const stranger = withStranger ? [newKey('p-256')] : [];
        const pairs = firstKey === 'localhost' ? [localhost, other] : [other, localhost];
        const keys = [...stranger, ...pairs, ...(copies ? pairs : [])];
        for (const [i, one] of renewals.entries()) {
          const leaves = [
            await renewed('localhost', localhost, one),
            await renewed('other', other, renewals[i - 1] ?? one),
          ];
          const all = [...leaves, authorities.inner.certificate, authorities.root.certificate];
          const certificates = order.flatMap((place) => all.slice(place, place + 1));
          const text = keys.map(keyPem).join('') + pemOf(certificates);
          const asPem = await read(Buffer.from(text));
          const asPfx = await read(plainPfx(keys, certificates));
          for (const file of [upstreamPem(asPfx, true), upstreamPemOfText(text, asPem, true)]) {
            // Uses the first key and the first certificate of one file, as nginx does. OpenSSL refuses a pair that does
            // not match.
            expect(() => createSecureContext({ key: file, cert: file })).not.toThrow();
            expect(subjectOf(new X509Certificate(file.slice(file.indexOf('-----BEGIN CERT'))))).toBe(
              `CN=${firstKey}, O=Test`,
            );
          }
          const rival = firstKey === 'localhost' ? 'other' : 'localhost';
          for (const { material } of [asPem, asPfx]) {
            expect(material.rivals.map(subjectOf)).toEqual([`CN=${rival}, O=Test`]);
            expect(material.chain.leaf?.checkPrivateKey(material.key ?? other)).toBe(true);
          }
        }
      }),
      { numRuns: rounds(8, 20) },
    );
  });

  it('are no files: which of them is meant nobody can tell, and both are named', async () => {
    const leaves = [
      await renewed('localhost', localhost, { days: 0, years: 0 }),
      await renewed('other', other, { days: 0, years: 0 }),
    ];
    const certificates = [...leaves, authorities.inner.certificate, authorities.root.certificate];
    const material = await pairKey({ keys: [localhost, other], certificates });
    const words =
      'it holds 2 private keys that have a certificate of their own, of "CN=localhost, O=Test" and "CN=other, O=Test"; keep one key and its certificates, and store the others as secrets of their own';
    for (const output of OUTPUT_KINDS) {
      const isOfServer = WITH_IDENTITY.some((one) => one === output);
      expect(missingFor(output, material), output).toBe(isOfServer ? words : undefined);
    }
    await expect(writeOutput('combined', material, { seed })).rejects.toMatchObject({ code: 'ERR_BAD_CONTENT' });
    expect((await writeOutput('ca', material, { seed })).toString()).toBe(pemOf([authorities.root.certificate]));
    const { chain, key, rivals } = material;
    expect(examine(chain, key, { rivals }).lasting).toEqual([
      {
        reason: 'several_keys',
        message: expect.stringContaining('2 private keys that have a certificate of their own, of "CN=localhost'),
      },
    ]);
  });

  it('of one name are told apart by serial number and end', async () => {
    const old = await issue({ name: 'a', serial: '0a', notAfter: new Date('2031-05-01') });
    const next = await issue({ name: 'a', serial: '0b', notAfter: new Date('2032-05-01') });
    const { chain, rivals } = await pairKey({
      keys: [old.key, next.key],
      certificates: [next.certificate, old.certificate],
    });
    expect(subjectsOf([...(chain.leaf ? [chain.leaf] : []), ...rivals])).toBe(
      '"CN=a, O=Test" (serial number 0A, valid to 2031-05-01) and "CN=a, O=Test" (serial number 0B, valid to 2032-05-01)',
    );
  });

  it('are named up to three', async () => {
    const all = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => issue({ name })));
    const named = (count: number) => subjectsOf(all.slice(0, count).map(({ certificate }) => certificate));
    expect(named(1)).toBe('"CN=a, O=Test"');
    expect(named(3)).toBe('"CN=a, O=Test", "CN=b, O=Test" and "CN=c, O=Test"');
    expect(named(5)).toBe('"CN=a, O=Test", "CN=b, O=Test", "CN=c, O=Test" and 2 more');
  });
});

describe('one server is meant', () => {
  it.each<KeyType>(['p-256', 'rsa-2048', 'ed25519'])('by copies of one key (%s)', async (keyType) => {
    const { leaf, certificates } = await issueChain({ keyType });
    const copy = createPrivateKey(keyPem(leaf.key));
    const { key, rivals, fits } = await pairKey({ keys: [leaf.key, copy, leaf.key], certificates });
    expect([key, rivals, fits]).toEqual([leaf.key, [], true]);
  });

  it('by a key and a certificate beside the key of a CA that issued it', async () => {
    const { leaf, root, intermediates, certificates } = await issueChain({ intermediates: 2 });
    const issuers = [root, ...intermediates].map(({ key }) => key);
    for (const keys of [
      [...issuers, leaf.key],
      [leaf.key, ...issuers],
    ]) {
      const { key, chain, rivals } = await pairKey({ keys, certificates });
      expect([key, chain.leaf, rivals]).toEqual([leaf.key, leaf.certificate, []]);
    }
  });

  it('by a key that fits and one that fits nothing', async () => {
    const { leaf, certificates } = await issueChain();
    const { key, rivals } = await pairKey({ keys: [newKey('p-256'), leaf.key], certificates });
    expect([key, rivals]).toEqual([leaf.key, []]);
  });

  it('but not by a server beside the key of a self-signed one, which issued nothing', async () => {
    const { leaf, certificates } = await issueChain();
    const selfSigned = await issue({ name: 'localhost', ca: true });
    const { rivals } = await pairKey({
      keys: [leaf.key, selfSigned.key],
      certificates: [...certificates, selfSigned.certificate],
    });
    expect(rivals).toEqual([selfSigned.certificate]);
  });
});

describe('one private key with several certificates', () => {
  const key = newKey('p-256');

  it('of two names serves the name that stands first, whatever renewals do', async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), renewal, renewal, async (swapped, a, b) => {
        const leaves = [await renewed('a', key, a), await renewed('b', key, b)];
        const certificates = [...(swapped ? leaves.toReversed() : leaves), authorities.inner.certificate];
        const { chain } = await pairKey({ keys: [key], certificates });
        expect(chain.leaf).toBe(certificates[0]);
      }),
      { numRuns: rounds(10, 30) },
    );
  });

  it('of one name serves the one that is valid longest, then the newest', async () => {
    const [old, next, newest] = [
      await renewed('a', key, { days: 2, years: 0 }),
      await renewed('a', key, { days: 1, years: 1 }),
      await renewed('a', key, { days: 3, years: 1 }),
    ];
    for (const certificates of [
      [old, next, newest],
      [newest, next, old],
    ]) {
      expect((await pairKey({ keys: [key], certificates })).chain.leaf).toBe(newest);
    }
  });
});

describe('certificates without a private key', () => {
  it('of two servers give the same leaf, whatever renewals do', async () => {
    const keys = [newKey('p-256'), newKey('p-256')] as const;
    await fc.assert(
      fc.asyncProperty(fc.boolean(), renewal, renewal, async (swapped, a, b) => {
        const leaves = [await renewed('a', keys[0], a), await renewed('b', keys[1], b)];
        const certificates = [...(swapped ? leaves.toReversed() : leaves), authorities.inner.certificate];
        const { chain } = await pairKey({ keys: [], certificates });
        expect(chain.leaf).toBe(leaves[0]);
      }),
      { numRuns: rounds(10, 30) },
    );
  });
});

describe('a CA that two roots signed, to the same end', () => {
  it('is taken by the name of its root, whatever renewals do', async () => {
    const [rootA, rootB] = [await issue({ name: 'Root A', ca: true }), await issue({ name: 'Root B', ca: true })];
    const key = newKey('p-256');
    const leaf = await issue({ name: 'broker', issuer: await issue({ name: 'CA', ca: true, key, issuer: rootA }) });
    for (let round = 0; round < 12; round++) {
      const viaA = await issue({ name: 'CA', ca: true, key, issuer: rootA });
      const viaB = await issue({ name: 'CA', ca: true, key, issuer: rootB });
      const certificates = [leaf, viaB, viaA, rootB, rootA].map(({ certificate }) => certificate);
      const { chain } = await pairKey({ keys: [leaf.key], certificates });
      expect(chain.intermediates).toEqual([viaA.certificate]);
    }
  });
});
