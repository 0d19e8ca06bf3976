import { beforeAll, describe, expect, it } from 'vitest';
import { readBundle } from '../../src/pki/bundle.ts';
import { pairKey } from '../../src/pki/certified-key.ts';
import { type ReadContent, splitPem, upstreamPem, upstreamPemOfText } from '../../src/pki/official-pem.ts';
import { writePem } from '../../src/pki/pem.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { type IssuedChain, issue, issueChain, keyPem, pemOf, sharedKey } from '../support/pki.ts';

let chain: IssuedChain;
let key: string;

beforeAll(async () => {
  chain = await issueChain({ keyType: 'rsa-2048', intermediates: 2 });
  key = keyPem(chain.leaf.key);
});

function ordered(...indexes: readonly number[]) {
  return indexes.flatMap((i) => chain.certificates.slice(i, i + 1));
}

async function contentOf(content: Buffer): Promise<ReadContent> {
  const bundle = await readBundle(content);
  return { bundle, material: await pairKey(bundle) };
}

async function pfxOf(certificates: typeof chain.certificates) {
  const form = { ...PKCS12_FORMS.keyVault, password: null, seed: Buffer.alloc(1) };
  return contentOf(await writePkcs12({ key: chain.leaf.key, certificates }, form));
}

describe("the official provider's file for a PFX", () => {
  it('is the PKCS#8 key, then leaf to root, from any order', async () => {
    for (const order of [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [2, 0, 3, 1],
    ]) {
      const text = upstreamPem(await pfxOf(ordered(...order)), true);
      expect(text).toBe(key + pemOf(chain.certificates));
    }
  });

  it('keeps the order of the PFX where ordering is off', async () => {
    const text = upstreamPem(await pfxOf(ordered(3, 1, 0, 2)), false);
    expect(text).toBe(key + pemOf(ordered(3, 1, 0, 2)));
  });

  it('drops doubled roots, and puts what has no place last, in its order', async () => {
    const strangers = [await issue({ name: 'Z', ca: true }), await issue({ name: 'A' })].map((one) => one.certificate);
    const content = await pfxOf([...strangers, ...ordered(3, 3, 2, 1, 0, 3)]);
    expect(upstreamPem(content, true)).toBe(key + pemOf([...chain.certificates, ...strangers]));
  });

  it('has the leaf first even where an intermediate is missing, and loses nothing', async () => {
    const text = upstreamPem(await pfxOf(ordered(3, 1, 0)), true);
    expect(text).toBe(key + pemOf(ordered(0, 1, 3)));
  });

  it('comes apart into certificates and keys', async () => {
    const parts = splitPem(upstreamPem(await pfxOf(ordered(2, 0, 1, 3)), true));
    expect(parts).toEqual({ certificates: pemOf(chain.certificates), keys: key });
  });
});

describe("the official provider's file for PEM content", () => {
  async function convert(text: string, order = true) {
    return upstreamPemOfText(text, await contentOf(Buffer.from(text)), order);
  }

  it('is the content byte for byte where the order is right or ordering is off', async () => {
    const odd = `subject=x\r\n${key.replace(/\n/g, '\r\n')}${pemOf(chain.certificates).trimEnd()}`;
    expect(await convert(odd)).toBe(odd);
    const reversed = pemOf(chain.certificates.toReversed()) + key;
    expect(await convert(reversed, false)).toBe(reversed);
  });

  it('has certificates in the order of the chain behind everything else, keys as they were', async () => {
    const sec1 = sharedKey('p-256').export({ format: 'pem', type: 'sec1' });
    const text = await convert(`${pemOf(ordered(3, 0))}${key}text\n${pemOf(ordered(2))}${sec1}${pemOf(ordered(1, 3))}`);
    expect(text).toBe(`${key}${sec1}${pemOf(chain.certificates)}`);
  });

  it('is the content byte for byte where the text itself has no blocks', async () => {
    const text = Buffer.from(pemOf(ordered(1, 0)) + key).toString('base64');
    expect(await convert(text)).toBe(text);
  });

  it('is the content byte for byte where a block holds a PFX, whatever its label', async () => {
    const form = { ...PKCS12_FORMS.keyVault, password: null, seed: Buffer.alloc(1) };
    const pfx = await writePkcs12({ key: chain.leaf.key, certificates: ordered(3, 0, 2, 1) }, form);
    for (const label of ['CERTIFICATE', 'PKCS12']) {
      const text = writePem(label, pfx);
      expect(await convert(text)).toBe(text);
    }
  });

  it('comes apart into CERTIFICATE blocks and all others', async () => {
    const text = `${key}noise\n${pemOf(ordered(0))}-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n`;
    const parts = splitPem(text.replace(/\n/g, '\r\n'));
    expect(parts.certificates).toBe(pemOf(ordered(0)));
    expect(parts.keys).toBe(`${key}-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n`);
  });
});
