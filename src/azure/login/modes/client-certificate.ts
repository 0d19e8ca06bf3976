/**
 * Logs in a service principal with a client certificate, from the node-publish secret of the pod. Refuses certificates
 * without their key, and keys that Entra ID does not accept or that would block the whole node.
 */

import { ClientCertificateCredential } from '@azure/identity';
import { Secret } from '../../../base/secret.ts';
import { badContent, naming } from '../../../pki/bad-content.ts';
import { readBundle } from '../../../pki/bundle.ts';
import { pairKey } from '../../../pki/certified-key.ts';
import { pathOf } from '../../../pki/chain.ts';
import { describeKey } from '../../../pki/public-key.ts';
import { certificatesPem, missingFor, privateKeyPem } from '../../../pki/write.ts';
import { applicationParts, credentialOptions, ENTRA, secretDigest, tokenOf } from '../entra.ts';
import { entraRemedy } from '../entra-remedies.ts';
import type { IdentityMode } from '../identity-mode.ts';

/** Key sizes that the login library accepts. A signature with a longer key would block the node for too long. */
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;

/** Service principal with a client certificate. */
export const clientCertificate: IdentityMode<'client-certificate'> = {
  ...ENTRA,
  describe: ({ clientId }) => `service principal ${clientId} (client certificate)`,
  keyParts(identity) {
    const password = identity.password === undefined ? '' : secretDigest(identity.password);
    return [...applicationParts(identity), secretDigest(identity.certificate), password];
  },
  proof: () => ({ by: 'key' }),
  async acquire({ tenantId, clientId, certificate, password }, request) {
    const pem = await pemOfClientCertificate(certificate, password);
    const options = credentialOptions(request);
    return tokenOf(
      new ClientCertificateCredential(tenantId, clientId, { certificate: pem.reveal() }, options),
      request,
    );
  },
  remedy: ({ tenantId, clientId }, refusal) =>
    entraRemedy(
      {
        tenantId,
        clientId,
        badSignature: `add the client certificate to the application ${clientId} in Entra ID; the one that was sent is not registered there`,
      },
      refusal,
    ),
};

/**
 * Returns the PEM of the key, the leaf and its chain that a client certificate secret holds: PEM, or a PFX in base64.
 * Throws: ERR_BAD_CONTENT if there is no certificate with its key, or if Entra ID does not accept the key.
 */
export function pemOfClientCertificate(certificate: Secret, password: Secret | undefined): Promise<Secret> {
  return naming('clientcertificate of the node-publish secret:', async () => {
    const passwordRemedy = 'add clientcertificatepassword to the node-publish secret';
    const options = { passwordRemedy, ...(password === undefined ? {} : { password }) };
    const { key, ...material } = await pairKey(await readBundle(Buffer.from(certificate.reveal()), options));
    const missing = missingFor('combined', { key, ...material });
    if (missing !== undefined || key === undefined) throw badContent(missing ?? 'it holds no private key');
    const [kind, bits] = describeKey(key).split(' ');
    if (kind !== 'RSA' || Number(bits) < MIN_RSA_BITS || Number(bits) > MAX_RSA_BITS) {
      throw badContent(
        `its key is ${describeKey(key)}, and a login takes RSA keys of ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits; register a certificate with such a key`,
      );
    }
    return new Secret(privateKeyPem(key) + certificatesPem(pathOf(material.chain)));
  });
}
