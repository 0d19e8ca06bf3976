import { X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBundle } from '../../src/pki/bundle.ts';
import { collect, type Lab, openLab, VAULT } from '../support/emulator.ts';
import { pfxOf, SEED, subjects } from '../support/emulator-certificates.ts';

describe('certificates of the emulator, read with the stock clients', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(SEED);
  });
  afterAll(() => lab.close());

  it('show the leaf, its thumbprint, policy and the ids of key and secret', async () => {
    const certificate = await lab.certificates.getCertificate('server');
    const leaf = new X509Certificate(Buffer.from(certificate.cer ?? []));
    expect(leaf.subject).toContain('CN=server.example');
    expect(leaf.subjectAltName).toBe('DNS:server.example, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
    expect(leaf.ca).toBe(false);
    const { version, x509Thumbprint } = certificate.properties;
    expect(Buffer.from(x509Thumbprint ?? []).toString('hex')).toBe(leaf.fingerprint.replaceAll(':', '').toLowerCase());
    expect(certificate.keyId).toBe(`${lab.emulator.vaultUrl(VAULT)}/keys/server/${version}`);
    expect(certificate.secretId).toBe(`${lab.emulator.vaultUrl(VAULT)}/secrets/server/${version}`);
    expect(certificate.properties).toMatchObject({
      tags: { for: 'tests' },
      enabled: true,
      expiresOn: new Date(leaf.validTo),
    });
    expect(certificate.policy).toMatchObject({
      issuerName: 'sub',
      subject: 'CN=server.example, O=Example',
      subjectAlternativeNames: { dnsNames: ['server.example'] },
      contentType: 'application/x-pkcs12',
      keyType: 'EC',
      keyCurveName: 'P-256',
      exportable: true,
      validityInMonths: 12,
    });
  });

  it('are three objects of one name and version', async () => {
    const { properties, cer } = await lab.certificates.getCertificate('rsa');
    const key = await lab.keys.getKey('rsa');
    const secret = await lab.secrets.getSecret('rsa');
    expect(new Set([properties.version, key.properties.version, secret.properties.version]).size).toBe(1);
    expect(key.properties.managed).toBe(true);
    expect(secret.properties).toMatchObject({
      managed: true,
      certificateKeyId: key.id,
      contentType: 'application/x-pkcs12',
    });
    const jwk = new X509Certificate(Buffer.from(cer ?? [])).publicKey.export({ format: 'jwk' });
    expect(Buffer.from(key.key?.n ?? []).toString('base64url')).toBe(jwk.n);
  });

  it("have secrets in Key Vault's own PFX form: null password, SHA-1 MAC, 3DES key, RC2-40 certificates, root first", async () => {
    const { value = '' } = await lab.secrets.getSecret('server');
    const der = Buffer.from(value, 'base64').toString('binary');
    const asn1 = forge.asn1.fromDer(der);
    // forge knows the zero-length password as "no password"
    expect(forge.pkcs12.pkcs12FromAsn1(asn1).safeContents.length).toBeGreaterThan(0);
    expect(() => forge.pkcs12.pkcs12FromAsn1(asn1, '')).toThrow('MAC could not be verified');
    const oid = (dotted: string) => forge.asn1.oidToDer(dotted).getBytes();
    expect(der).toContain(oid('1.2.840.113549.1.12.1.3'));
    expect(der).toContain(oid('1.2.840.113549.1.12.1.6'));
    expect(der).toContain(oid('1.3.14.3.2.26'));
    const { keys, certificates } = await pfxOf(lab, 'server');
    expect(subjects(certificates)).toEqual(['CN=Root', 'CN=Sub', 'CN=server.example']);
    const [root, sub, leaf] = certificates;
    expect(keys[0] && leaf?.checkPrivateKey(keys[0])).toBe(true);
    expect(root && sub?.verify(root.publicKey) && sub.checkIssued(root)).toBe(true);
    expect(sub && leaf?.verify(sub.publicKey) && leaf.checkIssued(sub)).toBe(true);
  });

  it('have PEM secrets with the PKCS#8 key first, then the chain from leaf to root', async () => {
    const { value = '', properties } = await lab.secrets.getSecret('as-pem');
    expect(properties.contentType).toBe('application/x-pem-file');
    expect(value).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    const { keys, certificates } = await readBundle(Buffer.from(value));
    expect(subjects(certificates)).toEqual(['CN=as-pem', 'CN=Sub', 'CN=Root']);
    expect(keys[0] && certificates[0]?.checkPrivateKey(keys[0])).toBe(true);
  });

  it.each([
    ['modern', 1, ['CN=Root', 'CN=Sub', 'CN=modern']],
    ['legacy', 1, ['CN=Root', 'CN=Sub', 'CN=legacy']],
    ['empty-password', 1, ['CN=Root', 'CN=Sub', 'CN=empty-password']],
    ['no-mac', 1, ['CN=Root', 'CN=Sub', 'CN=no-mac']],
    ['unprotected', 1, ['CN=Root', 'CN=Sub', 'CN=unprotected']],
    ['keyless', 0, ['CN=Root', 'CN=Sub', 'CN=keyless']],
    ['leaf-first', 1, ['CN=leaf-first', 'CN=Sub', 'CN=Root']],
    ['from-chain', 1, ['CN=client', 'CN=Sub', 'CN=Root']],
    ['locked', 0, ['CN=locked']],
    ['p384', 1, ['CN=p384']],
    ['p521', 1, ['CN=p521']],
    ['expired', 1, ['CN=expired']],
  ])('come as PFX in other forms on request: %s', async (name, keyCount, chain) => {
    const { keys, certificates } = await pfxOf(lab, name);
    expect(keys).toHaveLength(keyCount);
    expect(subjects(certificates)).toEqual(chain);
    const [key] = keys;
    if (key !== undefined) expect(certificates.some((certificate) => certificate.checkPrivateKey(key))).toBe(true);
  });

  it('are protected according to their form', async () => {
    const value = async (name: string) =>
      Buffer.from((await lab.secrets.getSecret(name)).value ?? '', 'base64').toString('binary');
    const parse = (der: string, password?: string) => () =>
      forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(der), password);
    expect(parse(await value('empty-password'), '')).not.toThrow();
    expect(parse(await value('empty-password'))).toThrow();
    expect(parse(await value('legacy'))).not.toThrow();
    expect((await value('modern')).includes(forge.asn1.oidToDer('1.2.840.113549.1.5.13').getBytes())).toBe(true);
    expect((await value('unprotected')).includes(forge.asn1.oidToDer('1.2.840.113549.1.12.10.1.1').getBytes())).toBe(
      true,
    );
  });

  it('are converted to PEM when a client requests it', async () => {
    const { value = '', properties } = await lab.secrets.getSecret('server', {
      outContentType: 'application/x-pem-file',
    });
    expect(properties.contentType).toBe('application/x-pem-file');
    expect(subjects((await readBundle(Buffer.from(value))).certificates)).toEqual([
      'CN=server.example',
      'CN=Sub',
      'CN=Root',
    ]);
  });

  it('refuse a disabled certificate and its secret and key, each with its own inner code', async () => {
    const inner = (code: string) => ({ statusCode: 403, details: { error: { innerError: { code } } } });
    await expect(lab.certificates.getCertificate('off')).rejects.toMatchObject(inner('CertificateDisabled'));
    await expect(lab.secrets.getSecret('off')).rejects.toMatchObject(inner('SecretDisabled'));
    await expect(lab.keys.getKey('off')).rejects.toMatchObject(inner('KeyDisabled'));
  });

  it('keep their versions; each can be read by its id', async () => {
    const versions = await collect(lab.certificates.listPropertiesOfCertificateVersions('versioned'));
    expect(versions).toHaveLength(3);
    const [first] = [...versions].sort((a, b) => Number(a.createdOn) - Number(b.createdOn));
    const current = await lab.certificates.getCertificate('versioned');
    expect(current.policy?.subject).toBe('CN=third');
    const old = await lab.certificates.getCertificateVersion('versioned', first?.version ?? '');
    expect(new X509Certificate(Buffer.from(old.cer ?? [])).subject).toBe('CN=versioned');
  });

  it('name the version before from API version 2025-07-01 on', async () => {
    const { properties } = await lab.secrets.getSecret('versioned');
    const versions = await collect(lab.secrets.listPropertiesOfSecretVersions('versioned'));
    const before = versions.find(({ enabled }) => !enabled);
    expect((properties as { previousVersion?: string }).previousVersion).toBe(before?.version);
  });

  it('answer 404 to a missing one', async () => {
    await expect(lab.certificates.getCertificate('nope')).rejects.toMatchObject({
      statusCode: 404,
      code: 'CertificateNotFound',
    });
  });
});
