import { beforeAll, describe, expect, it } from 'vitest';
import { readBundle } from '../../src/pki/bundle.ts';
import { formatInspection } from '../../src/pki/format-inspection.ts';
import { type Inspection, inspectBundle } from '../../src/pki/inspect.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { type IssuedChain, issue, issueChain, keyPem, pemOf } from '../support/pki.ts';

const now = Date.parse('2026-01-01T00:00:00Z');
let chain: IssuedChain;
let inspection: Inspection;

beforeAll(async () => {
  chain = await issueChain({ keyType: 'rsa-2048' });
  const stranger = await issue({ name: 'stranger' });
  const certificates = [...chain.certificates.toReversed(), stranger.certificate];
  const form = { ...PKCS12_FORMS.keyVault, password: null, seed: Buffer.alloc(1) };
  inspection = await inspectBundle(await readBundle(await writePkcs12({ key: chain.leaf.key, certificates }, form)), {
    now,
  });
});

describe('an inspection', () => {
  it('says what is inside, as plain data', () => {
    expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
    expect(inspection).toMatchObject({
      format: 'pkcs12',
      keys: [{ kind: 'RSA 2048', fits: 'CN=broker.example, O=Test' }],
      keyFitsLeaf: true,
      chain: { path: [2, 1, 0], complete: true, missingIssuer: null },
      findings: [{ severity: 'warning', reason: 'unrelated_certificates' }],
    });
    expect(inspection.certificates.map(({ place }) => place)).toEqual(['root', 'intermediate', 'leaf', 'unrelated']);
    expect(inspection.certificates[2]).toEqual({
      subject: 'CN=broker.example, O=Test',
      issuer: 'CN=Intermediate 1, O=Test',
      alternativeNames: ['DNS:broker.example'],
      notBefore: '2020-01-01T00:00:00Z',
      notAfter: '2040-01-01T00:00:00Z',
      key: 'RSA 2048',
      signature: 'RSA with SHA-256',
      serialNumber: chain.leaf.certificate.serialNumber,
      fingerprint256: chain.leaf.certificate.fingerprint256,
      ca: false,
      place: 'leaf',
    });
  });

  it('says what would be written for each output, and why something cannot be', async () => {
    expect(inspection.outputs).toContainEqual({
      output: 'combined',
      possible: true,
      holds: ['private key (RSA 2048)', 'CN=broker.example, O=Test', 'CN=Intermediate 1, O=Test'],
      problem: null,
    });
    const bare = await inspectBundle(await readBundle(Buffer.from(pemOf([chain.leaf.certificate]))), { now });
    expect(bare.keyFitsLeaf).toBeNull();
    expect(bare.chain).toEqual({ path: [0], complete: false, missingIssuer: 'CN=Intermediate 1, O=Test' });
    expect(bare.outputs.filter(({ possible }) => !possible).map(({ output }) => output)).toEqual([
      'chain',
      'ca',
      'privateKey',
      'combined',
      'pfx',
      'keystore',
      'truststore',
    ]);
  });

  it('of certificates alone, as a mount leaves them, does not warn of what is not there by design', async () => {
    const mounted = await inspectBundle(await readBundle(Buffer.from(pemOf(chain.certificates.slice(0, 2)))), { now });
    expect(mounted.findings).toEqual([
      {
        severity: 'note',
        reason: 'chain_incomplete',
        message: expect.stringContaining('This is correct if the issuer is the root'),
      },
    ]);
    const outputs = new Map(mounted.outputs.map((one) => [one.output, one]));
    expect(outputs.get('privateKey')?.problem).toMatch(/^there is no private key, only certificates/);
  });

  it('of CA certificates alone finds no leaf and nobody unrelated', async () => {
    const other = await issueChain({ names: ['other.example', 'Other intermediate', 'Other root'] });
    const certificates = [...chain.certificates.slice(1), ...other.certificates.slice(1)];
    const { findings, ...rest } = await inspectBundle(await readBundle(Buffer.from(pemOf(certificates))), { now });
    expect(findings).toEqual([]);
    expect(rest.certificates.map(({ place }) => place)).toEqual(['intermediate', 'root', 'intermediate', 'root']);
    expect(rest.outputs.find(({ output }) => output === 'ca')?.holds).toHaveLength(2);
  });

  it('never holds a key', async () => {
    const text = keyPem(chain.leaf.key) + pemOf(chain.certificates);
    const whole = await inspectBundle(await readBundle(Buffer.from(text)), { now });
    const secret = keyPem(chain.leaf.key).split('\n')[3] ?? '';
    expect(secret).toHaveLength(64);
    expect(JSON.stringify(whole) + formatInspection(whole)).not.toContain(secret);
  });

  it('is printed for people, the chain as a tree', () => {
    expect(formatInspection(inspection)).toMatchInlineSnapshot(`
      "PKCS#12 (PFX): 1 private key, 4 certificates

      Private keys
        RSA 2048, fits CN=broker.example, O=Test

      Chain
        CN=Root, O=Test (root)
          RSA 2048, signed by RSA with SHA-256
          valid from 2020-01-01T00:00:00Z to 2040-01-01T00:00:00Z
        └─ CN=Intermediate 1, O=Test (intermediate)
             RSA 2048, signed by RSA with SHA-256
             valid from 2020-01-01T00:00:00Z to 2040-01-01T00:00:00Z
          └─ CN=broker.example, O=Test (leaf)
               RSA 2048, signed by RSA with SHA-256
               valid from 2020-01-01T00:00:00Z to 2040-01-01T00:00:00Z
               names DNS:broker.example

      Other certificates
        CN=stranger, O=Test (unrelated, its own issuer)
          EC P-256, signed by ECDSA with SHA-256
          valid from 2020-01-01T00:00:00Z to 2040-01-01T00:00:00Z
          names DNS:stranger
          issued by CN=stranger, O=Test

      Warnings
        unrelated_certificates: there are certificates that have no place in the chain of "CN=broker.example, O=Test" and are left out of it: "CN=stranger, O=Test"; remove them from the certificate in the vault if they are not meant

      What the provider writes for each output
        certificate  CN=broker.example, O=Test
        chain        CN=Intermediate 1, O=Test
        fullChain    CN=broker.example, O=Test | CN=Intermediate 1, O=Test
        ca           CN=Root, O=Test
        privateKey   private key (RSA 2048)
        combined     private key (RSA 2048) | CN=broker.example, O=Test | CN=Intermediate 1, O=Test
        pfx          private key (RSA 2048) | CN=broker.example, O=Test | CN=Intermediate 1, O=Test | CN=Root, O=Test
        keystore     private key (RSA 2048) | CN=broker.example, O=Test | CN=Intermediate 1, O=Test | CN=Root, O=Test
        truststore   CN=Root, O=Test
        der          CN=broker.example, O=Test
      "
    `);
  });

  it('is printed with what is missing on top of the tree', async () => {
    const partial = await issueChain({ intermediates: 2 });
    const bundle = await readBundle(Buffer.from(pemOf(partial.certificates.slice(0, 2))));
    expect(formatInspection(await inspectBundle(bundle, { now }))).toMatchInlineSnapshot(`
      "PEM: no private keys, 2 certificates

      Chain
        CN=Intermediate 2, O=Test (missing here)
        └─ CN=Intermediate 1, O=Test (intermediate)
             EC P-256, signed by ECDSA with SHA-256
             valid from 2020-01-01T00:00:00Z to 2040-01-01T00:00:00Z
          └─ CN=broker.example, O=Test (leaf)
               EC P-256, signed by ECDSA with SHA-256
               valid from 2020-01-01T00:00:00Z to 2040-01-01T00:00:00Z
               names DNS:broker.example

      Notes
        chain_incomplete: the certificate of the issuer "CN=Intermediate 2, O=Test" is missing. This is correct if the issuer is the root, which servers do not send; add it if it is an intermediate, or clients cannot verify the chain

      What the provider writes for each output
        certificate                          CN=broker.example, O=Test
        chain                                CN=Intermediate 1, O=Test
        fullChain                            CN=broker.example, O=Test | CN=Intermediate 1, O=Test
        ca, truststore                       nothing: it holds no root (self-signed) certificate; add it to the certificate in the vault, or name a secret that holds the CA certificates
        privateKey, combined, pfx, keystore  nothing: there is no private key, only certificates; the secret of a certificate in Key Vault holds the key too, if its policy says "exportable": true
        der                                  CN=broker.example, O=Test
      "
    `);
  });

  it('of a key without certificate says so', async () => {
    const text = formatInspection(await inspectBundle(await readBundle(Buffer.from(keyPem(chain.leaf.key))), { now }));
    expect(text).toContain('PEM: 1 private key, no certificates\n');
    expect(text).toContain('  RSA 2048, fits no certificate here\n');
    expect(text).not.toContain('Chain\n');
  });
});
