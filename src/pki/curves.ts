/**
 * Finds the elliptic curve of a key in the DER of its parameters, before OpenSSL sees the key. The readers of private
 * and public keys call it: Node 20 and 22 end the process if the numbers of an EC key do not fit its curve. A curve
 * that is not in the table, by name or by its numbers, is unknown.
 */

import { hash } from 'node:crypto';
import { type Der, octets, oid, sequence, TAG } from './der.ts';

/** A curve: its name in OpenSSL, its object identifier, and the bytes of a coordinate or a private number. */
export interface Curve {
  readonly name: string;
  readonly id: string;
  readonly bytes: number;
}

/**
 * Every curve of OpenSSL that has an object identifier: identifier, name, bytes of a coordinate, and the SHA-256 of its
 * numbers from {@link curveDigest}, in base64url.
 */
const TABLE = `
  1.3.132.0.6 secp112r1 14 EDXhkrfENut0zHO_fCMijiKCKf2zsmZ45g5jzoSnkFU
  1.3.132.0.7 secp112r2 14 OCHlP-wFSXEVL_iBxtH53TXPue9mrDjp2ouoR4W8KFU
  1.3.132.0.28 secp128r1 16 Z1KmrNwUEyx16E1FSv6PE0YfQUJge6iMVp3T393cwhE
  1.3.132.0.29 secp128r2 16 DYjdL1fMVm5YOocM3Dwy-qf-Bw3sXnKeGe1TgWuAkyg
  1.3.132.0.9 secp160k1 20 Erw2Hmh7THjeZaJ67PfXEEcRMlyssb8O1ExIBTGjhGM
  1.3.132.0.8 secp160r1 20 3boKP_hHG-a_3etGZfE8ma5iLVdz4_lLsicuTEGmGpw
  1.3.132.0.30 secp160r2 20 qoCJnV6Z8xgarZ2hr6YJG4C7gIAVfNcDG21oXpdMKRo
  1.2.840.10045.3.1.1 prime192v1 24 SBdsJDu4Wa-7huw5k2tQW80DJ-fnz7HbiK3h6KVrvsc
  1.2.840.10045.3.1.2 prime192v2 24 p3ZbghFC466MhCJ5lN5pX1Ky-ucfvSDabQiBh22uuKQ
  1.2.840.10045.3.1.3 prime192v3 24 jNxq2xY1H_4lvnNxkvP3HYhl1fVfPG8ZSBmZlQNm9Lk
  1.3.132.0.31 secp192k1 24 cSkq74I-ZQRnzHWYAu5CvuSdKrZGTNc86l5mDtssyzw
  1.3.132.0.32 secp224k1 28 K50u5QAvMeUhMHlqQUCuOQA1tl1Qp9jS4Gwartqns7U
  1.3.132.0.33 secp224r1 28 8z9NZ7KiIgRJbIYMNfzp025xZSDqnV9U1yA5yrQQ8Tg
  1.2.840.10045.3.1.4 prime239v1 30 ZBXb8wg0GrLSE07QU1hvomRlIKRWiWCDvaKIqTm1UAQ
  1.2.840.10045.3.1.5 prime239v2 30 hHsiVXxJlOD9KoiSlcw93LBOpNpvT6k6IR3xcdn1ohc
  1.2.840.10045.3.1.6 prime239v3 30 rKK-akI6fgm2a0uPJTu55rpKiqrD2p5hYH6H90UmrM8
  1.2.840.10045.3.1.7 prime256v1 32 FDpPPLZh28vXAzSc0bfGk1-Mz8NXKY6C6Y2r2kh6CLY
  1.3.132.0.10 secp256k1 32 e3RC6imCiy46SGM0OCQ6n-PvAeFDfRm-2VK1_mBexnM
  1.3.132.0.34 secp384r1 48 jkMwfzFRDUwTSm7SM22wt1UvpR_oayTnmV4A3kl5cXQ
  1.3.132.0.35 secp521r1 66 WeYb_bBL-CTMa19p4jgevnAhdax97Nrb-3TvIhUWYs0
  1.3.36.3.3.2.8.1.1.1 brainpoolP160r1 20 O67q1HAIJn7iAGZ9kkYdHm9VyZQZ1PyTmqpDAbvWyHE
  1.3.36.3.3.2.8.1.1.2 brainpoolP160t1 20 qcmilF3_6ctWa_0ORH_jYWeV-ztqEdQso9DMlhlD6ro
  1.3.36.3.3.2.8.1.1.3 brainpoolP192r1 24 V7RP9vLKH6nvZ7GOZKpp3w6mFKKR0u7nZ4WFiwe7Kts
  1.3.36.3.3.2.8.1.1.4 brainpoolP192t1 24 eC3KZKCGPffu0cPYV4IC5L8Tk5nj_hI60mCAZxfMj0I
  1.3.36.3.3.2.8.1.1.5 brainpoolP224r1 28 QadXv36uHvjQM3UBOAprv0ZjLJ2OHclUJ1_cZGv04gE
  1.3.36.3.3.2.8.1.1.6 brainpoolP224t1 28 Fgf-gMBvffA__xblqoWD6GdRbpV2XspJz-PIuBIjl6g
  1.3.36.3.3.2.8.1.1.7 brainpoolP256r1 32 kPq2nZcNWt0Bu6cr9F9iIclkE_gkW4qLZFauEd0g2Aw
  1.3.36.3.3.2.8.1.1.8 brainpoolP256t1 32 nTVZdG4EkVH6w3jesql9Ol0wceOAsmvK3yvJs9ov0AE
  1.3.36.3.3.2.8.1.1.9 brainpoolP320r1 40 s7hFDLeTFFXy9pA2N9miLHp83dGInYMetUCfxVgQvno
  1.3.36.3.3.2.8.1.1.10 brainpoolP320t1 40 IWT4GgJvG7ETiv8Pt-lao0of_KT6GgppOd33tpVwYFs
  1.3.36.3.3.2.8.1.1.11 brainpoolP384r1 48 KdTKm02eRA4EXRTe4IEKKW2aVv8nw5E408zhFYZi4V4
  1.3.36.3.3.2.8.1.1.12 brainpoolP384t1 48 ztsMJDr733ZLgqk5G1QAIChiioEW_-DSbPvh17jErqs
  1.3.36.3.3.2.8.1.1.13 brainpoolP512r1 64 rqCwtjJMdbjrQgbXyhFIxDwM5qA79NlXq-iWaxKAf5M
  1.3.36.3.3.2.8.1.1.14 brainpoolP512t1 64 9tjKjEY6ETjaKq4vS196Lg22wPEK1L8fn6yLLTZt4Xo
  1.2.156.10197.1.301 SM2 32 vCM3iD-lJyUIob8rFehnLGo3EmOYLxQnNKxc58IC0xw
  1.3.132.0.4 sect113r1 15 UrVUYas4xEE_NHjunINcb0h5AwXWf-IuKNY6nwI0ntM
  1.3.132.0.5 sect113r2 15 ar_jhOhygmnwHxk94tMboURX9vpyCzy4tPxOw78rvtk
  1.3.132.0.22 sect131r1 17 HJk2s5uKYw4-rj5sW148g_J1PKF26KhnrBz6RWjGTF8
  1.3.132.0.23 sect131r2 17 j7bsS8wUsoiN5JH3Oarrckn6l1u_mkoVCgfcJKSugNE
  1.3.132.0.1 sect163k1 21 zV9srnEjv-GDqmmTbYb39Q0U8Yi5UutAN2brAyH9fNk
  1.3.132.0.2 sect163r1 21 LklzZH7--sUlrhdJEztwpj8qG8xyAbmK47V4EZKXN3k
  1.3.132.0.15 sect163r2 21 mS71JlCMBoHodh_Qw8yVK0Rla5nyxqMo0T3_BeuNmwk
  1.3.132.0.24 sect193r1 25 VwnCawjby9e4uwSzkOz-wHdX-FadzG_Fn39RCKWntc0
  1.3.132.0.25 sect193r2 25 wWMpB5WrJWIRBNMCVBkrpz9sV6hBs6NdvGYgFfXbEQQ
  1.3.132.0.26 sect233k1 30 1Z6IQQOFOd2IjGa0Psp4UxOdNmYgQ9FN_3dDbr7mR4Q
  1.3.132.0.27 sect233r1 30 SgcR_XEl4rJxlEAf3fE5WqUVh9cqA-Rf8CK3gBBSBlY
  1.3.132.0.3 sect239k1 30 3RZZ5o9mJTD9ddN2B77x7HuYHjHZStfRJLw5mxDuvD8
  1.3.132.0.16 sect283k1 36 vVr9wEUKyeKL9LBa0pK5VvzexBMxHxFGvkk9Yz1CjJ4
  1.3.132.0.17 sect283r1 36 QuOHEyrChRXTlxvQvR-ETpxF-UN-2SmVCI4eRHooKJM
  1.3.132.0.36 sect409k1 52 Zqsq7LbMC1QrZ_etGT59uCtDKSnKc2zJ-Z63Qgf7oxI
  1.3.132.0.37 sect409r1 52 dZLpc2D9RfMCFENEHtz0MpGtdWg_PjskxylAivtkUm0
  1.3.132.0.38 sect571k1 72 iiun6k0mR2bxxHPOvHu8KwGzf4czffBvIHCiL7JyDAU
  1.3.132.0.39 sect571r1 72 xUwCgyPw3KpYy1GfETszllhkx-D8PdtCDpVvKsq-r5o
  1.2.840.10045.3.0.1 c2pnb163v1 21 tz33iTARLaw1tkr-bvKb0Jt1jmseM-yhmHb01y0pNAo
  1.2.840.10045.3.0.2 c2pnb163v2 21 yMafgWh521-bOUsshmqaVG8hlHTywXyhCBD8aoU9p0U
  1.2.840.10045.3.0.3 c2pnb163v3 21 ahb7TzkBbkZwzG8k0le9YQm_oCt8is0EqzzO6b-2kX0
  1.2.840.10045.3.0.4 c2pnb176v1 22 E6_RzaD3yfRBGCQuTK_UYbCmcuNon2gYeV0f9wBnxZ4
  1.2.840.10045.3.0.5 c2tnb191v1 24 AfX6wIuAsqgBNC-_VkPjsF9VTYcKNhk6B5qsj1mW0LI
  1.2.840.10045.3.0.6 c2tnb191v2 24 AHAqS0WXGa5Q7x4xSPbuEaTDleX-NYYNXwtE284q_U0
  1.2.840.10045.3.0.7 c2tnb191v3 24 jaqvT6vD40zBNY0TmYSVpOYZC5Eby0_obosvA-6VzRU
  1.2.840.10045.3.0.10 c2pnb208w1 26 DAG3mMWpdD3Qrm8G8LdR9EigS9X4KGvH33oCiUPPCzQ
  1.2.840.10045.3.0.11 c2tnb239v1 30 6QZAIwImEJloomskU2U6961e_hiMxIa2CVv4tOxCtcs
  1.2.840.10045.3.0.12 c2tnb239v2 30 9b6zQenFVYysNVxjD4EoNbGppADf9viOzJfUaIX_nvU
  1.2.840.10045.3.0.13 c2tnb239v3 30 oZq2GN5hR_jCMPUjmHNkQP_ux1wx3Gh1YqXZrIgwc-s
  1.2.840.10045.3.0.16 c2pnb272w1 34 AdiPlmxHhzlEDH_FWYPonFmHxjHyoA09IxCX6HcMbUo
  1.2.840.10045.3.0.17 c2pnb304w1 38 qt_csTKCG_TLZmr2JDo-IqVYVzwXDp6Mdkc61Vx2lbg
  1.2.840.10045.3.0.18 c2tnb359v1 45 fSKdmPJ2M3qlEPo8vTG-Id-qtaBkld1Il-17oSLNMdg
  1.2.840.10045.3.0.19 c2pnb368w1 46 c-KRJr-sFPDSplszQmEx2uCsHHejdEnN4_MDnEDvuD0
  1.2.840.10045.3.0.20 c2tnb431r1 54 Stsk7ueUq8bejA4RiXaz_UNSNvGsbbvRwBCiXMcauHA
  2.23.43.1.4.1 wap-wsg-idm-ecid-wtls1 15 VQ9qgpvgVA-B-WeGkW0DW6Nnv10TMMt37Dk5cw8bjmY
  2.23.43.1.4.3 wap-wsg-idm-ecid-wtls3 21 zV9srnEjv-GDqmmTbYb39Q0U8Yi5UutAN2brAyH9fNk
  2.23.43.1.4.4 wap-wsg-idm-ecid-wtls4 15 UrVUYas4xEE_NHjunINcb0h5AwXWf-IuKNY6nwI0ntM
  2.23.43.1.4.5 wap-wsg-idm-ecid-wtls5 21 tz33iTARLaw1tkr-bvKb0Jt1jmseM-yhmHb01y0pNAo
  2.23.43.1.4.6 wap-wsg-idm-ecid-wtls6 14 EDXhkrfENut0zHO_fCMijiKCKf2zsmZ45g5jzoSnkFU
  2.23.43.1.4.7 wap-wsg-idm-ecid-wtls7 20 qoCJnV6Z8xgarZ2hr6YJG4C7gIAVfNcDG21oXpdMKRo
  2.23.43.1.4.8 wap-wsg-idm-ecid-wtls8 14 MBVn66YDtBiHKMOY5gk90CfFfhQUR9guUX4d_y455yY
  2.23.43.1.4.9 wap-wsg-idm-ecid-wtls9 20 CnCDSRKulcpgfoGsMwgJjOwVTvvJdZPVR0h4TPo3dU4
  2.23.43.1.4.10 wap-wsg-idm-ecid-wtls10 30 1Z6IQQOFOd2IjGa0Psp4UxOdNmYgQ9FN_3dDbr7mR4Q
  2.23.43.1.4.11 wap-wsg-idm-ecid-wtls11 30 SgcR_XEl4rJxlEAf3fE5WqUVh9cqA-Rf8CK3gBBSBlY
  2.23.43.1.4.12 wap-wsg-idm-ecid-wtls12 28 8z9NZ7KiIgRJbIYMNfzp025xZSDqnV9U1yA5yrQQ8Tg`;

const ROWS = TABLE.trim()
  .split('\n')
  .map((row) => row.trim().split(' '));

/** Every supported curve. */
export const KNOWN_CURVES: readonly Curve[] = ROWS.map(([id = '', name = '', bytes]) => ({
  id,
  name,
  bytes: Number(bytes),
}));

const BY_ID: ReadonlyMap<string, Curve> = new Map(KNOWN_CURVES.map((curve) => [curve.id, curve]));
/** If two curves have the same numbers, the first one is taken. */
const BY_DIGEST: ReadonlyMap<string, Curve> = new Map(
  KNOWN_CURVES.map((curve, row) => [ROWS[row]?.[3] ?? '', curve] as const).reverse(),
);

/** The curve of the parameters of an EC key, given by name or by numbers; `undefined` if it is unknown. */
export function curveOf(parameters: Der | undefined): Curve | undefined {
  return parameters?.tag === TAG.oid ? BY_ID.get(oid(parameters)) : BY_DIGEST.get(curveDigest(sequence(parameters)));
}

/** Digests the numbers of field and curve, the x of the base point and its order (RFC 3279 section 2.3.5). */
function curveDigest([, field, curve, base, order]: readonly Der[]): string {
  const [a, b] = sequence(curve);
  const point = octets(base);
  const isCompressed = (point[0] ?? 0) < 4;
  const x = point.subarray(1, isCompressed ? point.length : (point.length + 1) / 2);
  const numbers = [sequence(field)[1]?.content, octets(a), octets(b), x, order?.content];
  return hash('sha256', numbers.map((bytes) => significant(bytes).toString('hex')).join(' '), 'base64url');
}

/** The bytes of a number without leading zeros. */
export function significant(bytes: Buffer = Buffer.alloc(0)): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  return start === -1 ? bytes.subarray(bytes.length) : bytes.subarray(start);
}
