// Elliptic curves by what the DER of a key says of them, before OpenSSL sees the key: Node 20 and 22 end the process where
// the numbers of an EC key do not fit its curve. The readers of private and of public keys call it. A curve that is not
// listed, and parameters written out that are those of no listed curve, are no curve here.
import { hash } from 'node:crypto';
import { type Der, octets, oid, sequence, TAG } from './der.ts';

/** A curve: OpenSSL's name of it, its object identifier, and the bytes of a coordinate, which bound a private number too. */
export interface Curve {
  readonly name: string;
  readonly id: string;
  readonly bytes: number;
}

/** Object identifiers and OpenSSL's names, whose three digits are the bits of a coordinate. */
const NAMES = `
  1.2.840.10045.3.1.1 prime192v1, 1.2.840.10045.3.1.2 prime192v2, 1.2.840.10045.3.1.3 prime192v3,
  1.2.840.10045.3.1.4 prime239v1, 1.2.840.10045.3.1.5 prime239v2, 1.2.840.10045.3.1.6 prime239v3,
  1.2.840.10045.3.1.7 prime256v1, 1.3.132.0.1 sect163k1, 1.3.132.0.2 sect163r1, 1.3.132.0.3 sect239k1,
  1.3.132.0.4 sect113r1, 1.3.132.0.5 sect113r2, 1.3.132.0.6 secp112r1, 1.3.132.0.7 secp112r2,
  1.3.132.0.8 secp160r1, 1.3.132.0.9 secp160k1, 1.3.132.0.10 secp256k1, 1.3.132.0.15 sect163r2,
  1.3.132.0.16 sect283k1, 1.3.132.0.17 sect283r1, 1.3.132.0.22 sect131r1, 1.3.132.0.23 sect131r2,
  1.3.132.0.24 sect193r1, 1.3.132.0.25 sect193r2, 1.3.132.0.26 sect233k1, 1.3.132.0.27 sect233r1,
  1.3.132.0.28 secp128r1, 1.3.132.0.29 secp128r2, 1.3.132.0.30 secp160r2, 1.3.132.0.31 secp192k1,
  1.3.132.0.32 secp224k1, 1.3.132.0.33 secp224r1, 1.3.132.0.34 secp384r1, 1.3.132.0.35 secp521r1,
  1.3.132.0.36 sect409k1, 1.3.132.0.37 sect409r1, 1.3.132.0.38 sect571k1, 1.3.132.0.39 sect571r1,
  1.3.36.3.3.2.8.1.1.1 brainpoolP160r1, 1.3.36.3.3.2.8.1.1.2 brainpoolP160t1,
  1.3.36.3.3.2.8.1.1.3 brainpoolP192r1, 1.3.36.3.3.2.8.1.1.4 brainpoolP192t1,
  1.3.36.3.3.2.8.1.1.5 brainpoolP224r1, 1.3.36.3.3.2.8.1.1.6 brainpoolP224t1,
  1.3.36.3.3.2.8.1.1.7 brainpoolP256r1, 1.3.36.3.3.2.8.1.1.8 brainpoolP256t1,
  1.3.36.3.3.2.8.1.1.9 brainpoolP320r1, 1.3.36.3.3.2.8.1.1.10 brainpoolP320t1,
  1.3.36.3.3.2.8.1.1.11 brainpoolP384r1, 1.3.36.3.3.2.8.1.1.12 brainpoolP384t1,
  1.3.36.3.3.2.8.1.1.13 brainpoolP512r1, 1.3.36.3.3.2.8.1.1.14 brainpoolP512t1,
  1.2.156.10197.1.301 SM2`;

/** Every curve that is read here. */
export const CURVES: readonly Curve[] = NAMES.split(',').map((entry) => {
  const [id = '', name = ''] = entry.trim().split(' ');
  return { id, name, bytes: Math.ceil(Number(/\d{3}/.exec(name)?.[0] ?? 256) / 8) };
});
const BY_ID: ReadonlyMap<string, Curve> = new Map(CURVES.map((curve) => [curve.id, curve]));

/** SHA-256 in base64url of a curve's numbers, as {@link digestOf} writes them. */
const WRITTEN_OUT: Readonly<Record<string, string>> = {
  'SBdsJDu4Wa-7huw5k2tQW80DJ-fnz7HbiK3h6KVrvsc': '1.2.840.10045.3.1.1',
  '8z9NZ7KiIgRJbIYMNfzp025xZSDqnV9U1yA5yrQQ8Tg': '1.3.132.0.33',
  'FDpPPLZh28vXAzSc0bfGk1-Mz8NXKY6C6Y2r2kh6CLY': '1.2.840.10045.3.1.7',
  jkMwfzFRDUwTSm7SM22wt1UvpR_oayTnmV4A3kl5cXQ: '1.3.132.0.34',
  'WeYb_bBL-CTMa19p4jgevnAhdax97Nrb-3TvIhUWYs0': '1.3.132.0.35',
  'e3RC6imCiy46SGM0OCQ6n-PvAeFDfRm-2VK1_mBexnM': '1.3.132.0.10',
  kPq2nZcNWt0Bu6cr9F9iIclkE_gkW4qLZFauEd0g2Aw: '1.3.36.3.3.2.8.1.1.7',
  KdTKm02eRA4EXRTe4IEKKW2aVv8nw5E408zhFYZi4V4: '1.3.36.3.3.2.8.1.1.11',
  'rqCwtjJMdbjrQgbXyhFIxDwM5qA79NlXq-iWaxKAf5M': '1.3.36.3.3.2.8.1.1.13',
};

/** The curve that the parameters of an EC key name or write out; `undefined` where it is none of the known ones. */
export function curveOf(parameters: Der | undefined): Curve | undefined {
  if (parameters?.tag === TAG.oid) return BY_ID.get(oid(parameters));
  return BY_ID.get(WRITTEN_OUT[digestOf(sequence(parameters))] ?? '');
}

/** The numbers of a prime field, the curve, its base point and the order of that (RFC 3279 section 2.3.5). */
function digestOf([, field, curve, base, order]: readonly Der[]): string {
  const prime = significant(sequence(field)[1]?.content);
  const [a, b] = sequence(curve);
  const x = octets(base).subarray(1, 1 + prime.length);
  const numbers = [prime, octets(a), octets(b), x, order?.content].map((bytes) => significant(bytes).toString('hex'));
  return hash('sha256', numbers.join(' '), 'base64url');
}

/** The bytes of a number without the zeros before them. */
export function significant(bytes: Buffer = Buffer.alloc(0)): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  return start === -1 ? bytes.subarray(bytes.length) : bytes.subarray(start);
}
