import { ProviderError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { readBundle } from '../pki/bundle.ts';
import { pathOf } from '../pki/chain.ts';
import { pairKey } from '../pki/material.ts';
import { certificatesPem, missingFor, privateKeyPem } from '../pki/write.ts';

/**
 * PEM of the key, the leaf and its chain that a client certificate secret holds: PEM, or a PFX in base64.
 * Errors: ERR_BAD_CONTENT where there is no certificate with its key, or the key is none that Entra takes.
 */
export async function pemOfClientCertificate(certificate: Secret, password: Secret | undefined): Promise<Secret> {
  const passwordRemedy = 'add clientcertificatepassword to the node-publish secret';
  const options = { passwordRemedy, ...(password === undefined ? {} : { password }) };
  const bundle = await readBundle(Buffer.from(certificate.reveal()), options);
  const material = await pairKey(bundle);
  const missing = missingFor('combined', material);
  const refuse = (why: string) =>
    new ProviderError('ERR_BAD_CONTENT', `clientcertificate of the node-publish secret: ${why}`);
  if (missing !== undefined) throw refuse(missing);
  if (material.key?.asymmetricKeyType !== 'rsa') {
    const kind = material.key?.asymmetricKeyType ?? 'unknown';
    throw refuse(`its key is of the kind "${kind}", and Entra ID takes RSA keys only; register an RSA certificate`);
  }
  return new Secret(privateKeyPem(material.key) + certificatesPem(pathOf(material.chain)));
}
