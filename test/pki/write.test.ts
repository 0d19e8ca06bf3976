import { createPrivateKey, createPublicKey, sign, verify, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { authoritiesOf, type CertificateMaterial, pairKey } from '../../src/pki/certified-key.ts';
import { readDer, sequence } from '../../src/pki/der.ts';
import { OUTPUT_KINDS } from '../../src/pki/outputs.ts';
import { missingFor, type OutputOptions, writeOutput } from '../../src/pki/write.ts';
import { fingerprints, type IssuedChain, issue, issueChain, keyPem, newKey, pemOf, sharedKey } from '../support/pki.ts';

const options: OutputOptions = { seed: Buffer.from('0123456789abcdef0123456789abcdef') };
let chain: IssuedChain;
let material: CertificateMaterial;

beforeAll(async () => {
  chain = await issueChain({ keyType: 'rsa-2048', intermediates: 2 });
  material = await pairKey({ keys: [chain.leaf.key], certificates: chain.certificates.toReversed() });
});

describe('outputs of a certificate', () => {
  it('hold leaf, intermediates and root where each belongs, as PEM', async () => {
    const [leaf, ...rest] = chain.certificates;
    const expected = {
      certificate: pemOf(leaf ? [leaf] : []),
      chain: pemOf(rest.slice(0, 2)),
      fullChain: pemOf(chain.certificates.slice(0, 3)),
      ca: pemOf(rest.slice(2)),
      privateKey: keyPem(chain.leaf.key),
      combined: keyPem(chain.leaf.key) + pemOf(chain.certificates.slice(0, 3)),
    } as const;
    for (const output of ['certificate', 'chain', 'fullChain', 'ca', 'privateKey', 'combined'] as const) {
      const text = (await writeOutput(output, material, options)).toString();
      expect(text, output).toBe(expected[output]);
      expect(text.endsWith('-----\n'), output).toBe(true);
      expect(text, output).not.toMatch(/\r|.{65}/);
    }
  });

  it('hold the leaf as DER', async () => {
    expect(await writeOutput('der', material, options)).toEqual(chain.leaf.certificate.raw);
  });

  it('hold everything as PKCS#12, that Node takes for TLS, in a modern and an old form', async () => {
    for (const pfxForm of ['modern', 'legacy'] as const) {
      const password = new Secret('pass');
      const pfx = await writeOutput('pfx', material, { ...options, pfxForm, password });
      const bundle = await readBundle(pfx, { password });
      expect(fingerprints(bundle.certificates)).toEqual(fingerprints(chain.certificates));
      expect(bundle.keys.map(keyPem)).toEqual([keyPem(chain.leaf.key)]);
      expect(() => createSecureContext({ pfx, passphrase: 'pass' })).not.toThrow();
    }
    const open = await writeOutput('pfx', material, options);
    expect(() => createSecureContext({ pfx: open, passphrase: '' })).not.toThrow();
  });

  it('hold the roots as a truststore', async () => {
    for (const password of ['pass', '']) {
      const store = await writeOutput('truststore', material, { ...options, password: new Secret(password) });
      const bundle = await readBundle(store, { password: new Secret(password) });
      expect(fingerprints(bundle.certificates)).toEqual(fingerprints([chain.root.certificate]));
      expect(store.includes(chain.root.certificate.raw)).toBe(false);
    }
  });

  it('hold the roots as a truststore that opens with any password, where it has none', async () => {
    const store = await writeOutput('truststore', material, options);
    const macData = sequence(readDer(store))[2];
    expect([store.includes(chain.root.certificate.raw), macData]).toEqual([true, undefined]);
    const bundle = await readBundle(store, { password: new Secret('any') });
    expect(fingerprints(bundle.certificates)).toEqual(fingerprints([chain.root.certificate]));
  });

  it('hold key, chain and roots as a keystore; a leaf that signed itself is a root too', async () => {
    const password = new Secret('pass');
    const store = await readBundle(await writeOutput('keystore', material, { ...options, password }), { password });
    expect(fingerprints(store.certificates)).toEqual(fingerprints(chain.certificates));
    expect(store.keys.map(keyPem)).toEqual([keyPem(chain.leaf.key)]);
    const { key, certificate } = await issue({ name: 'alone' });
    const alone = await pairKey({ keys: [key], certificates: [certificate] });
    const both = await readBundle(await writeOutput('keystore', alone, options));
    expect(new Set(fingerprints(both.certificates))).toEqual(new Set(fingerprints([certificate])));
  });

  it('are the same bytes each time, from whatever order the vault had', async () => {
    const again = await pairKey({ keys: [chain.leaf.key], certificates: chain.certificates });
    for (const output of OUTPUT_KINDS) {
      expect(await writeOutput(output, again, options), output).toEqual(await writeOutput(output, material, options));
    }
  });

  it('of a self-signed certificate have it as leaf and as CA, and an empty chain', async () => {
    const { key, certificate } = await issue({ name: 'alone' });
    const alone = await pairKey({ keys: [key], certificates: [certificate] });
    const text = certificate.toString();
    for (const output of ['certificate', 'fullChain', 'ca'] as const) {
      expect((await writeOutput(output, alone, options)).toString()).toBe(text);
    }
    expect(await writeOutput('chain', alone, options)).toHaveLength(0);
    expect(missingFor('chain', alone)).toContain('no intermediate');
    const pfx = await readBundle(await writeOutput('pfx', alone, options));
    expect(pfx.certificates).toHaveLength(1);
  });

  it('of a collection of CA certificates are all of them', async () => {
    const authorities = await authoritiesOf({ keys: [], certificates: chain.certificates.slice(1) });
    expect((await writeOutput('ca', authorities, options)).toString()).toBe(pemOf(chain.certificates.slice(1)));
    const store = await readBundle(await writeOutput('truststore', authorities, options));
    expect(store.certificates).toHaveLength(3);
  });
});

describe('private keys', () => {
  it.each([
    ['rsa-2048', 'pkcs8', 'PRIVATE KEY'],
    ['rsa-2048', 'pkcs1', 'RSA PRIVATE KEY'],
    ['p-256', 'pkcs8', 'PRIVATE KEY'],
    ['p-521', 'sec1', 'EC PRIVATE KEY'],
    ['ed25519', 'pkcs8', 'PRIVATE KEY'],
    ['rsa-pss', 'pkcs8', 'PRIVATE KEY'],
  ] as const)('%s in %s', async (keyType, keyFormat, label) => {
    const issued = await issueChain({ keyType });
    const own = await pairKey({ keys: [issued.leaf.key], certificates: issued.certificates });
    const text = (await writeOutput('privateKey', own, { ...options, keyFormat })).toString();
    expect(text.startsWith(`-----BEGIN ${label}-----\n`)).toBe(true);
    expect(keyPem(createPrivateKey(text))).toBe(keyPem(issued.leaf.key));
    const combined = (await writeOutput('combined', own, { ...options, keyFormat })).toString();
    expect(combined.startsWith(text)).toBe(true);
  });

  it('of EC carry their public part and name the curve once, as Go writes them', async () => {
    const key = sharedKey('p-256');
    const der = Buffer.from(keyPem(key).replace(/-----.*-----|\n/g, ''), 'base64');
    const { x, y } = createPublicKey(key).export({ format: 'jwk' });
    expect(der.toString('hex')).toMatch(/^308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420/);
    expect(der.subarray(-64)).toEqual(
      Buffer.concat([Buffer.from(String(x), 'base64url'), Buffer.from(String(y), 'base64url')]),
    );
  });

  it('are those of the leaf', async () => {
    const key = createPrivateKey(await writeOutput('privateKey', material, options));
    const leaf = new X509Certificate(await writeOutput('certificate', material, options));
    const signature = sign('sha256', Buffer.from('x'), key);
    expect(verify('sha256', Buffer.from('x'), leaf.publicKey, signature)).toBe(true);
  });
});

describe('what cannot be written is said', () => {
  async function refusal(output: (typeof OUTPUT_KINDS)[number], of: CertificateMaterial, more: object = {}) {
    const error = await writeOutput(output, of, { ...options, ...more }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ProviderError);
    expect(error).toMatchObject({ code: 'ERR_BAD_CONTENT' });
    return error instanceof Error ? error.message : '';
  }

  it('a key that the vault did not give away', async () => {
    const noKey = await pairKey({ keys: [], certificates: chain.certificates });
    for (const output of ['privateKey', 'combined', 'pfx'] as const) {
      expect(await refusal(output, noKey)).toMatch(/holds no private key; .*"exportable": true/);
      expect(missingFor(output, noKey)).toContain('holds no private key');
    }
    expect(await writeOutput('fullChain', noKey, options)).toEqual(await writeOutput('fullChain', material, options));
  });

  it('a key of another certificate', async () => {
    const wrong = await pairKey({ keys: [newKey('p-384')], certificates: chain.certificates });
    for (const output of ['privateKey', 'combined', 'pfx'] as const) {
      expect(await refusal(output, wrong)).toMatch(
        /private key \(EC P-384\) does not belong to the certificate of "CN=broker.example, O=Test" \(RSA 2048\)/,
      );
    }
  });

  it('a root that is not there', async () => {
    const noRoot = await pairKey({ keys: [chain.leaf.key], certificates: chain.certificates.slice(0, 3) });
    for (const output of ['ca', 'truststore'] as const) {
      expect(await refusal(output, noRoot)).toMatch(/holds no root .* name a secret that holds the CA certificates/);
    }
    const completed = await pairKey(
      { keys: [chain.leaf.key], certificates: chain.certificates.slice(0, 1) },
      { extra: chain.certificates },
    );
    expect(await writeOutput('ca', completed, options)).toEqual(await writeOutput('ca', material, options));
  });

  it('a certificate where there is only a key, which alone can be written', async () => {
    const onlyKey = await pairKey({ keys: [chain.leaf.key], certificates: [] });
    for (const output of ['certificate', 'fullChain', 'combined', 'pfx', 'der'] as const) {
      expect(await refusal(output, onlyKey)).toContain('holds no certificate');
    }
    expect((await writeOutput('privateKey', onlyKey, options)).toString()).toBe(keyPem(chain.leaf.key));
  });

  it('a key format that is not for this kind of key', async () => {
    expect(await refusal('privateKey', material, { keyFormat: 'sec1' })).toBe(
      'its private key is RSA 2048, and keyFormat "sec1" is for EC keys only; use "pkcs8", which holds every key',
    );
    const ed = await issueChain({ keyType: 'ed25519' });
    const edMaterial = await pairKey({ keys: [ed.leaf.key], certificates: ed.certificates });
    expect(await refusal('combined', edMaterial, { keyFormat: 'pkcs1' })).toMatch(/is Ed25519, and keyFormat "pkcs1"/);
  });
});
