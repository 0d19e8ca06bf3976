/**
 * What can be wrong with a certificate; a bounded set, fit for a metric label. The findings name it, and the metrics begin
 * with all of them: this file stands alone, so that they need not load the rest.
 */
export const CERTIFICATE_REASONS = [
  'expired',
  'not_yet_valid',
  'key_mismatch',
  'chain_incomplete',
  'weak_rsa',
  'weak_signature',
  'mixed_key_algorithms',
  'no_san',
  'unrelated_certificates',
  'several_keys',
  'no_ca',
  'no_private_key',
  'line_breaks_lost',
  'not_converted',
  'no_client_certificate',
] as const;

/** What can be wrong with a certificate: see {@link CERTIFICATE_REASONS}. */
export type CertificateReason = (typeof CERTIFICATE_REASONS)[number];
