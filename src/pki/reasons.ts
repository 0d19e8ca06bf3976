/**
 * Lists what can be wrong with a certificate, as labels of a metric. The findings and the metrics use it. It imports
 * nothing, so that the metrics do not load the rest of the room.
 */

/** The reasons, a bounded set; the counter of warnings begins at 0 for each of them. */
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
  'no_server_certificate',
] as const;

/** One of {@link CERTIFICATE_REASONS}. */
export type CertificateReason = (typeof CERTIFICATE_REASONS)[number];
