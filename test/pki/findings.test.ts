import { type KeyObject, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { signatureAlgorithmOf } from '../../src/pki/certificate.ts';
import { buildChain } from '../../src/pki/chain.ts';
import { checkCertificates } from '../../src/pki/findings.ts';
import { issue, issueChain, newKey, sharedKey } from '../support/pki.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');

async function check(
  certificates: readonly X509Certificate[],
  key: KeyObject | undefined,
  now = NOW,
): Promise<readonly string[]> {
  const chain = await buildChain(certificates, key === undefined ? {} : { key });
  return checkCertificates(chain, key, now).map(({ reason, message }) => `${reason}: ${message}`);
}

describe('a certificate is checked before a server does', () => {
  it('and a good one gives no findings', async () => {
    for (const keyType of ['rsa-2048', 'p-256', 'ed25519'] as const) {
      const { leaf, certificates } = await issueChain({ keyType });
      expect(await check(certificates, leaf.key)).toEqual([]);
    }
    const alone = await issue({ name: 'alone' });
    expect(await check([alone.certificate], alone.key)).toEqual([]);
    expect(await check([], undefined)).toEqual([]);
  });

  it('that holds names which cannot be read has none', async () => {
    const { certificate, key } = await issue({ name: 'alone' });
    const raw = Buffer.from(certificate.raw);
    const names = raw.indexOf(Buffer.from('0603551d11', 'hex')) + 7;
    raw.writeUInt8(0x31, names);
    const damaged = new X509Certificate(raw);
    expect(damaged.subjectAltName ?? null).toBeNull();
    expect(await check([damaged], key)).toEqual([
      expect.stringContaining('chain_incomplete'),
      expect.stringContaining('no_san'),
    ]);
  });

  it('expired, at any place of the chain', async () => {
    const { leaf, certificates } = await issueChain({
      leaf: { notBefore: new Date('2024-01-01'), notAfter: new Date('2025-06-30') },
    });
    expect(await check(certificates, leaf.key)).toEqual([
      'expired: the certificate of "CN=broker.example, O=Test" expired on 2025-06-30; renew it in the vault',
    ]);
    expect(await check(certificates, leaf.key, Date.parse('2050-01-01'))).toHaveLength(3);
  });

  it('not yet valid', async () => {
    const { leaf, certificates } = await issueChain({ leaf: { notBefore: new Date('2027-03-01') } });
    expect(await check(certificates, leaf.key)).toEqual([
      'not_yet_valid: the certificate of "CN=broker.example, O=Test" is not valid before 2027-03-01; check the clock of the node, or wait until then',
    ]);
  });

  it('with a key of another certificate', async () => {
    const { certificates } = await issueChain();
    expect(await check(certificates, newKey('p-256'))).toEqual([
      expect.stringMatching(/^key_mismatch: the private key does not belong to the certificate of "CN=broker.example/),
    ]);
  });

  it('with a chain that lacks a link, naming it', async () => {
    const { leaf, certificates } = await issueChain({ intermediates: 2 });
    const without = certificates.filter((_, i) => i !== 1);
    expect((await check(without, leaf.key))[0]).toMatch(
      /^chain_incomplete: the chain of "CN=broker.example, O=Test" is incomplete: the certificate of its issuer "CN=Intermediate 1, O=Test" is missing; import/,
    );
  });

  it('with an issuer whose key did not sign it', async () => {
    const { leaf, certificates } = await issueChain({ intermediates: 0 });
    const namesake = await issue({ name: 'Root', ca: true });
    expect((await check([...certificates.slice(0, 1), namesake.certificate], leaf.key))[0]).toMatch(
      /is incomplete: a certificate of the issuer "CN=Root, O=Test" is there, but its key did not make the signature/,
    );
  });

  it('with CAs in a circle', async () => {
    const [keyA, keyB] = [newKey('p-256'), newKey('p-256')];
    const a = await issue({ name: 'A', ca: true, key: keyA });
    const b = await issue({ name: 'B', ca: true, key: keyB, issuer: a });
    const aByB = await issue({ name: 'A', ca: true, key: keyA, issuer: b });
    const leaf = await issue({ name: 'broker', issuer: a });
    const circle = [leaf, aByB, b].map(({ certificate }) => certificate);
    expect(await check(circle, leaf.key)).toEqual([expect.stringContaining('signed each other in a circle')]);
  });

  it('with RSA keys that are too short', async () => {
    const { leaf, certificates } = await issueChain({ keyType: 'rsa-2048', key: sharedKey('rsa-1024') });
    expect(await check(certificates, leaf.key)).toEqual([
      expect.stringMatching(/^weak_rsa: .* has an RSA key of 1024 bits, .* at least 2048$/),
    ]);
  });

  it('with signatures of SHA-1, except on roots', async () => {
    const root = await issue({ name: 'Root', key: sharedKey('rsa-2048', 'sha1'), ca: true, hash: 'SHA-1' });
    const leaf = await issue({ name: 'broker', key: sharedKey('rsa-2048'), issuer: root, hash: 'SHA-1' });
    expect(await check([leaf.certificate, root.certificate], leaf.key)).toEqual([
      expect.stringMatching(
        /^weak_signature: .*"CN=broker, O=Test" is signed with RSA with SHA-1, and SHA-1 is refused/,
      ),
    ]);
  });

  it('with several key algorithms in one chain', async () => {
    const { leaf, certificates } = await issueChain({ keyType: 'rsa-2048', key: sharedKey('p-256') });
    expect(await check(certificates, leaf.key)).toEqual([
      expect.stringMatching(
        /^mixed_key_algorithms: .*"CN=broker.example, O=Test" EC P-256, .*RSA 2048.*brokers refuse/,
      ),
    ]);
    const pss = await issueChain({ keyType: 'rsa-2048', key: sharedKey('rsa-pss') });
    expect(await check(pss.certificates, pss.leaf.key)).toEqual([]);
  });

  it('without subject alternative names', async () => {
    const { leaf, certificates } = await issueChain({ leaf: { dnsNames: [] } });
    expect(await check(certificates, leaf.key)).toEqual([
      expect.stringMatching(/^no_san: .* has no subject alternative name, and clients ignore the common name; issue/),
    ]);
  });

  it('self-signed, as the CA that "openssl req -x509" makes of it', async () => {
    const name = { name: 'localhost', ca: true, key: sharedKey('rsa-2048'), hash: 'SHA-1' } as const;
    const server = await issue({ ...name, keyUsage: false });
    expect(await check([server.certificate], server.key)).toEqual([
      expect.stringMatching(/^weak_signature: .*"CN=localhost, O=Test" is signed with RSA with SHA-1/),
      expect.stringMatching(/^no_san: .*"CN=localhost, O=Test"/),
    ]);
    expect(await check([server.certificate], undefined)).toEqual([]);
    const authority = await issue(name);
    expect(await check([authority.certificate], authority.key)).toEqual([]);
  });

  it('with strangers, of which the first few are named', async () => {
    const { leaf, certificates } = await issueChain();
    const strangers = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => issue({ name })));
    const all = [...certificates, ...strangers.map(({ certificate }) => certificate)];
    expect(await check(all, leaf.key)).toEqual([
      expect.stringMatching(
        /^unrelated_certificates: .*left out of it: "CN=., O=Test", "CN=., O=Test", "CN=., O=Test" and 2 more; remove/,
      ),
    ]);
  });
});

describe('signature algorithms are told', () => {
  it.each([
    ['rsa-2048', 'SHA-256', 'RSA with SHA-256'],
    ['p-384', 'SHA-384', 'ECDSA with SHA-384'],
    ['ed25519', 'SHA-256', 'Ed25519'],
  ] as const)('%s %s', async (keyType, hash, name) => {
    const { certificate } = await issue({ name: 'x', keyType, hash });
    expect(signatureAlgorithmOf(certificate)).toEqual({ name });
  });
});
