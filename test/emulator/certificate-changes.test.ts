import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { CertificateClient } from '@azure/keyvault-certificates';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { issueCertificate, NO_NAMES } from '../../src/emulator/world/issue.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { collect, type Lab, openLab, seedWith, VAULT } from '../support/emulator.ts';
import { pfxOf, SEED, subjects } from '../support/emulator-certificates.ts';

describe('certificates of the emulator, changed with the stock client', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(SEED);
  });
  afterAll(() => lab.close());

  const created = async (name: string, policy: Parameters<CertificateClient['beginCreateCertificate']>[1]) => {
    const poller = await lab.certificates.beginCreateCertificate(name, policy, { intervalInMs: 1 });
    return poller.pollUntilDone();
  };

  it('are created self-signed through the pending operation', async () => {
    const certificate = await created('made', {
      issuerName: 'Self',
      subject: 'CN=made',
      subjectAlternativeNames: { dnsNames: ['made.example'] },
      keyType: 'EC',
      keyCurveName: 'P-256',
      validityInMonths: 6,
      contentType: 'application/x-pem-file',
    });
    const leaf = new X509Certificate(Buffer.from(certificate.cer ?? []));
    expect(leaf.checkHost('made.example')).toBe('made.example');
    expect(leaf.verify(leaf.publicKey)).toBe(true);
    expect(certificate.policy?.validityInMonths).toBe(6);
    expect((await lab.secrets.getSecret('made')).properties.contentType).toBe('application/x-pem-file');
    const operation = await lab.certificates.getCertificateOperation('made');
    const { certificateOperation } = operation.getOperationState();
    expect(certificateOperation?.status).toBe('completed');
    expect(certificateOperation?.csr?.length).toBeGreaterThan(100);
  });

  it('are created below an authority of the seed, as RSA 2048 when the policy names no key', async () => {
    const certificate = await created('issued', { issuerName: 'sub', subject: 'CN=issued' });
    const leaf = new X509Certificate(Buffer.from(certificate.cer ?? []));
    expect(leaf.issuer).toBe('CN=Sub');
    expect(leaf.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(subjects((await pfxOf(lab, 'issued')).certificates)).toEqual(['CN=Root', 'CN=Sub', 'CN=issued']);
  });

  it.each([
    ['an unknown issuer', { issuerName: 'DigiCert', subject: 'CN=x' }, 'The issuer DigiCert is not known'],
    ['a bad subject', { issuerName: 'Self', subject: 'XX=x=y' }, 'is not a distinguished name'],
    ['an impossible key size', { issuerName: 'Self', subject: 'CN=x', keyType: 'RSA', keySize: 1024 }, 'key size 1024'],
    [
      'a curve no certificate is made for',
      { issuerName: 'Self', subject: 'CN=x', keyType: 'EC', keyCurveName: 'P-256K' },
      'P-521 keys only',
    ],
  ])('are not created with %s', async (_, policy, message) => {
    await expect(created('refused', policy as Parameters<typeof created>[1])).rejects.toMatchObject({
      statusCode: 400,
      message: expect.stringContaining(message),
    });
  });

  it('are renewed: a new version with a new key by the same policy', async () => {
    const before = await lab.certificates.getCertificate('server');
    const version = await lab.emulator.rotateCertificate(VAULT, 'server');
    const after = await lab.certificates.getCertificate('server');
    expect(after.properties.version).toBe(version);
    expect(version).not.toBe(before.properties.version);
    expect(after.policy).toMatchObject({ subject: before.policy?.subject, issuerName: 'sub' });
    const leaf = new X509Certificate(Buffer.from(after.cer ?? []));
    const old = new X509Certificate(Buffer.from(before.cer ?? []));
    expect(leaf.publicKey.equals(old.publicKey)).toBe(false);
    expect(leaf.subjectAltName).toBe(old.subjectAltName);
    expect((await lab.secrets.getSecret('server')).properties.version).toBe(version);
  });

  it('take a changed policy for the next version', async () => {
    await lab.certificates.updateCertificatePolicy('p384', {
      issuerName: 'sub',
      subject: 'CN=moved',
      keyType: 'EC',
      keyCurveName: 'P-256',
    });
    expect((await lab.certificates.getCertificatePolicy('p384')).subject).toBe('CN=moved');
    await lab.emulator.rotateCertificate(VAULT, 'p384');
    expect(subjects((await pfxOf(lab, 'p384')).certificates)).toEqual(['CN=Root', 'CN=Sub', 'CN=moved']);
  });

  it('are disabled and enabled with their key and secret', async () => {
    const { version = '' } = (await lab.certificates.getCertificate('p521')).properties;
    await lab.certificates.updateCertificateProperties('p521', version, { enabled: false, tags: { a: '1' } });
    await expect(lab.secrets.getSecret('p521')).rejects.toMatchObject({ statusCode: 403 });
    await lab.certificates.updateCertificateProperties('p521', version, { enabled: true });
    expect((await lab.secrets.getSecret('p521')).properties.tags).toEqual({ a: '1' });
  });

  it('are imported from PFX with a password; order stays, the password goes', async () => {
    const { keys, certificates } = await pfxOf(lab, 'from-chain');
    const [key] = keys;
    const upload = await writePkcs12(
      { ...(key && { key }), certificates: [...certificates].reverse() },
      { ...PKCS12_FORMS.modern, password: new Secret('upload'), seed: Buffer.alloc(32) },
    );
    const imported = await lab.certificates.importCertificate('imported-pfx', new Uint8Array(upload), {
      password: 'upload',
    });
    expect(imported.policy?.issuerName).toBe('Unknown');
    expect(new X509Certificate(Buffer.from(imported.cer ?? [])).subject).toBe('CN=client');
    expect(subjects((await pfxOf(lab, 'imported-pfx')).certificates)).toEqual(['CN=Root', 'CN=Sub', 'CN=client']);
    await expect(
      lab.certificates.importCertificate('wrong-password', new Uint8Array(upload), { password: 'other' }),
    ).rejects.toMatchObject({ statusCode: 400, code: 'BadParameter' });
  });

  it('are imported from PEM, kept in the order of the upload', async () => {
    const { keys, certificates } = await pfxOf(lab, 'from-chain');
    const [leaf, sub] = certificates;
    const pem = `${keys[0]?.export({ type: 'pkcs8', format: 'pem' })}${sub}${leaf}`;
    await lab.certificates.importCertificate('imported-pem', new Uint8Array(Buffer.from(pem)), {
      policy: { contentType: 'application/x-pem-file' },
    });
    const { value = '' } = await lab.secrets.getSecret('imported-pem');
    expect(subjects((await readBundle(Buffer.from(value))).certificates)).toEqual(['CN=Sub', 'CN=client']);
    await expect(lab.emulator.rotateCertificate(VAULT, 'imported-pem')).rejects.toThrow(
      'no issued certificate "imported-pem"',
    );
  });

  it('are not imported with a key that matches none of them', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { certificates } = await pfxOf(lab, 'from-chain');
    const pem = `${privateKey.export({ type: 'pkcs8', format: 'pem' })}${certificates[0]}`;
    await expect(
      lab.certificates.importCertificate('misfit', new Uint8Array(Buffer.from(pem)), {
        policy: { contentType: 'application/x-pem-file' },
      }),
    ).rejects.toMatchObject({ statusCode: 400, message: expect.stringContaining('matches none of the certificates') });
  });

  it('are deleted, recovered and purged with their key and secret', async () => {
    await (await lab.certificates.beginDeleteCertificate('rsa', { intervalInMs: 1 })).pollUntilDone();
    await expect(lab.secrets.getSecret('rsa')).rejects.toMatchObject({ statusCode: 404 });
    await expect(lab.keys.getKey('rsa')).rejects.toMatchObject({ statusCode: 404 });
    expect((await collect(lab.certificates.listDeletedCertificates())).map(({ name }) => name)).toEqual(['rsa']);
    await (await lab.certificates.beginRecoverDeletedCertificate('rsa', { intervalInMs: 1 })).pollUntilDone();
    expect((await lab.keys.getKey('rsa')).keyType).toBe('RSA');
    await (await lab.certificates.beginDeleteCertificate('rsa', { intervalInMs: 1 })).pollUntilDone();
    await lab.certificates.purgeDeletedCertificate('rsa');
    await expect(lab.certificates.getDeletedCertificate('rsa')).rejects.toMatchObject({ statusCode: 404 });
  });

  it('own the name of their key and secret, and do not take one that is in use', async () => {
    await expect(lab.secrets.setSecret('server', 'x')).rejects.toMatchObject({ statusCode: 409 });
    await expect(lab.keys.createKey('server', 'EC')).rejects.toMatchObject({ statusCode: 409 });
    await lab.secrets.setSecret('taken', 'x');
    await expect(created('taken', { issuerName: 'Self', subject: 'CN=x' })).rejects.toMatchObject({ statusCode: 409 });
  });

  it('list with thumbprints, a page at a time', async () => {
    const listed = await collect(lab.certificates.listPropertiesOfCertificates());
    expect(listed.length).toBeGreaterThan(15);
    expect(listed.every(({ x509Thumbprint }) => x509Thumbprint?.length === 20)).toBe(true);
  });

  it('are made in any form by the program that started the emulator', async () => {
    await lab.emulator.createCertificate(VAULT, 'own', {
      issuer: 'sub',
      form: { order: 'leafFirst', preset: 'modern' },
    });
    expect(subjects((await pfxOf(lab, 'own')).certificates)).toEqual(['CN=own', 'CN=Sub', 'CN=Root']);
    await expect(lab.emulator.createCertificate(VAULT, 'x', { issuer: 'nope' })).rejects.toThrow(
      'known: "root" or "sub"',
    );
  });
});

describe('certificates of a seed given as content', () => {
  it('are kept unchanged, PEM and PFX', async () => {
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const certificate = await issueCertificate({
      subject: 'CN=uploaded',
      key,
      notBefore: Date.now() - 1000,
      notAfter: Date.now() + 1_000_000,
      authority: false,
      names: NO_NAMES,
      ekus: [],
    });
    const pem = `${key.export({ type: 'pkcs8', format: 'pem' })}${certificate}`;
    const pfx = await writePkcs12(
      { key, certificates: [certificate] },
      { ...PKCS12_FORMS.legacy, password: new Secret('p'), seed: Buffer.alloc(32) },
    );
    const lab = await openLab(
      seedWith(`
    certificates:
      - {name: from-pem, content: ${JSON.stringify(pem)}}
      - {name: from-pfx, content: ${pfx.toString('base64')}, password: p}
`),
    );
    try {
      for (const name of ['from-pem', 'from-pfx']) {
        const bundle = await pfxOf(lab, name);
        expect(bundle.certificates.map(String)).toEqual([String(certificate)]);
        expect(bundle.keys[0]?.equals(key)).toBe(true);
      }
    } finally {
      await lab.close();
    }
  });
});
