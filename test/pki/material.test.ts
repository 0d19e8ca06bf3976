import { describe, expect, it } from 'vitest';
import { keyFits } from '../../src/pki/chain.ts';
import { authoritiesOf, pairKey } from '../../src/pki/material.ts';
import { issue, issueChain, newKey, prints } from './support.ts';

describe('key and leaf', () => {
  it('of several of each are paired', async () => {
    const [one, two] = [await issueChain({ keyType: 'rsa-2048' }), await issueChain({ names: ['b', 'i', 'r'] })];
    const certificates = [...two.certificates.slice(0, 1), ...one.certificates];
    for (const keys of [
      [newKey('p-256'), one.leaf.key, two.leaf.key],
      [two.leaf.key, one.leaf.key],
    ]) {
      const material = await pairKey({ keys, certificates });
      expect(material.key).toBe(one.leaf.key);
      expect(material.chain.leaf).toBe(one.leaf.certificate);
      expect(material.fits).toBe(true);
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
    expect(prints((await authoritiesOf({ keys: [], certificates: [...shuffled, ...shuffled] })).authorities)).toEqual(
      prints(shuffled),
    );
    const withKey = await authoritiesOf({ keys: [leaf.key], certificates: shuffled });
    expect(prints(withKey.authorities)).toEqual(prints(shuffled.filter((one) => one !== leaf.certificate)));
    const alone = await issue({ name: 'alone' });
    expect((await authoritiesOf({ keys: [alone.key], certificates: [alone.certificate] })).authorities).toHaveLength(1);
  });
});
