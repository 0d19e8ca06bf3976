/**
 * A seed with certificates in every form, for tests of the emulator.
 */
import type { X509Certificate } from 'node:crypto';
import { readBundle } from '../../src/pki/bundle.ts';
import { type Lab, seedWith } from './emulator.ts';

/** A seed with certificates in every form. */
export const SEED = seedWith(`
    certificates:
      - name: server
        issuer: sub
        subject: CN=server.example, O=Example
        dns: [server.example]
        ip: [127.0.0.1, "::1"]
        tags: {for: tests}
      - {name: rsa, key: {kty: RSA}}
      - {name: as-pem, issuer: sub, contentType: application/x-pem-file}
      - {name: locked, exportable: false}
      - {name: off, enabled: false}
      - {name: expired, validity: {from: -30d, to: -1d}}
      - {name: p384, key: {crv: P-384}}
      - {name: p521, key: {crv: P-521}}
      - {name: from-chain, chain: client, form: {order: leafFirst}}
      - {name: modern, issuer: sub, form: {preset: modern}}
      - {name: legacy, issuer: sub, form: {preset: legacy, password: "null"}}
      - {name: empty-password, issuer: sub, form: {password: empty}}
      - {name: no-mac, issuer: sub, form: {mac: none}}
      - {name: unprotected, issuer: sub, form: {keyCipher: none, certificateCipher: none, mac: none}}
      - {name: keyless, issuer: sub, form: {withKey: false}}
      - {name: leaf-first, issuer: sub, form: {order: leafFirst}}
      - {name: versioned, versions: [{}, {subject: CN=second, enabled: false}, {subject: CN=third}]}
authorities:
  - {name: root, subject: CN=Root}
  - {name: sub, subject: CN=Sub, issuer: root}
chains:
  - {name: client, issuer: sub, subject: CN=client}
`);

/** Returns the keys and certificates in the secret of a certificate. */
export async function pfxOf(lab: Lab, name: string) {
  const { value = '' } = await lab.secrets.getSecret(name);
  return readBundle(Buffer.from(value));
}

/** Returns the first line of each subject. */
export const subjects = (certificates: readonly X509Certificate[]) =>
  certificates.map(({ subject }) => subject.split('\n')[0]);
