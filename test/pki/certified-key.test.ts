import { describe, expect, it } from 'vitest';
import { authoritiesOf, pairKey } from '../../src/pki/certified-key.ts';
import { keyFits } from '../../src/pki/chain.ts';
import { fingerprints, issue, issueChain, newKey } from '../support/pki.ts';

describe('key and leaf', () => {
  it('of several of each are paired: the first key that has a certificate, and what it fits', async () => {
    const [one, two] = [await issueChain({ keyType: 'rsa-2048' }), await issueChain({ names: ['b', 'i', 'r'] })];
    const certificates = [...two.certificates.slice(0, 1), ...one.certificates];
    for (const [first, second] of [
      [one, two],
      [two, one],
    ] as const) {
      const keys = [newKey('p-256'), first.leaf.key, second.leaf.key];
      const material = await pairKey({ keys, certificates });
      expect(material.key).toBe(first.leaf.key);
      expect(material.chain.leaf).toBe(first.leaf.certificate);
      expect(material.fits).toBe(true);
      expect(material.rivals).toEqual([second.leaf.certificate]);
    }
  });

  it('that do not belong together are said so', async () => {
    const { certificates, leaf } = await issueChain();
    const stranger = newKey('p-256');
    expect(await pairKey({ keys: [stranger], certificates })).toMatchObject({
      key: stranger,
      fits: false,
      chain: { leaf: leaf.certificate },
    });
    expect(await pairKey({ keys: [], certificates })).toMatchObject({ key: undefined, fits: false });
    expect(keyFits(newKey('ed25519'), leaf.certificate)).toBe(false);
  });

  it('of a collection of CA certificates leave all of them authorities, in their order', async () => {
    const { certificates, leaf } = await issueChain({ intermediates: 2 });
    const shuffled = [2, 0, 3, 1].flatMap((i) => certificates.slice(i, i + 1));
    expect(
      fingerprints((await authoritiesOf({ keys: [], certificates: [...shuffled, ...shuffled] })).authorities),
    ).toEqual(fingerprints(shuffled));
    const withKey = await authoritiesOf({ keys: [leaf.key], certificates: shuffled });
    expect(fingerprints(withKey.authorities)).toEqual(fingerprints(shuffled.filter((one) => one !== leaf.certificate)));
    const alone = await issue({ name: 'alone' });
    expect((await authoritiesOf({ keys: [alone.key], certificates: [alone.certificate] })).authorities).toHaveLength(1);
  });
});
