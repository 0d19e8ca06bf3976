import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { buildChain, type Chain, pathOf } from '../../src/pki/chain.ts';
import { subjectOf } from '../../src/pki/names.ts';
import { fingerprints, type Issued, issue, issueChain, newKey, sharedKey } from '../support/pki.ts';
import { rounds } from '../support/rounds.ts';

/** Returns the subjects of a chain, without the organisation, which is the same in all of them. */
function names(chain: Chain) {
  const short = (certificates: readonly X509Certificate[]) =>
    certificates.map((certificate) => subjectOf(certificate).replace(/^CN=|, O=Test$/g, ''));
  const { leaf, intermediates, roots, unrelated, complete } = chain;
  return {
    path: short(pathOf(chain)),
    leaf: leaf && short([leaf])[0],
    intermediates: short(intermediates),
    roots: short(roots),
    unrelated: short(unrelated),
    complete,
  };
}

describe('a chain of cross-signed CAs and strangers, in any order, with any part missing', () => {
  let zoo: Readonly<
    Record<'rootA' | 'rootB' | 'viaA' | 'viaB' | 'leaf' | 'renewed' | 'stranger' | 'strangerRoot', Issued>
  >;

  beforeAll(async () => {
    const rootA = await issue({ name: 'Root A', ca: true });
    const rootB = await issue({ name: 'Root B', ca: true });
    const key = newKey('p-256');
    const viaA = await issue({ name: 'Issuing CA', ca: true, key, issuer: rootA });
    const viaB = await issue({ name: 'Issuing CA', ca: true, key, issuer: rootB, notAfter: new Date('2039-01-01') });
    const leaf = await issue({ name: 'broker', issuer: viaA });
    const renewed = await issue({ name: 'broker', issuer: viaA });
    const strangerRoot = await issue({ name: 'Root C', ca: true });
    const stranger = await issue({ name: 'stranger', issuer: strangerRoot });
    zoo = { rootA, rootB, viaA, viaB, leaf, renewed, stranger, strangerRoot };
  });

  const members = ['rootA', 'rootB', 'viaA', 'viaB', 'leaf', 'renewed', 'stranger', 'strangerRoot'] as const;
  const subset = fc.uniqueArray(fc.constantFrom(...members), { minLength: 1 });

  it('the same certificates give the same chain in any order and with doubles', async () => {
    await fc.assert(
      fc.asyncProperty(subset, fc.integer(), fc.boolean(), async (chosen, seed, withKey) => {
        const certificates = chosen.map((name) => zoo[name].certificate);
        const options = withKey ? { key: zoo.leaf.key } : {};
        const shuffled =
          fc.sample(fc.shuffledSubarray([...certificates, ...certificates], { minLength: 2 * certificates.length }), {
            seed,
            numRuns: 1,
          })[0] ?? [];
        const again = shuffled.map(({ raw }) => new X509Certificate(raw));
        const [one, two] = [await buildChain(certificates, options), await buildChain(again, options)];
        expect(names(two)).toEqual(names(one));
        expect(fingerprints(two.unrelated)).toEqual(fingerprints(one.unrelated));
        expect(two.missingIssuer).toBe(one.missingIssuer);
      }),
      { numRuns: rounds(40, 150) },
    );
  });

  it('every step is a verified signature, every certificate has one place, and nothing is lost', async () => {
    await fc.assert(
      fc.asyncProperty(subset, fc.boolean(), async (chosen, withKey) => {
        const certificates = chosen.map((name) => zoo[name].certificate);
        const chain = await buildChain(certificates, withKey ? { key: zoo.leaf.key } : {});
        const path = pathOf(chain);
        for (const [i, certificate] of path.entries()) {
          const issuer = path[i + 1] ?? (chain.complete ? certificate : undefined);
          if (issuer !== undefined) expect(certificate.verify(issuer.publicKey)).toBe(true);
        }
        const selfSignedLeaf = chain.leaf !== undefined && chain.roots.includes(chain.leaf);
        const places = [
          ...(chain.leaf && !selfSignedLeaf ? [chain.leaf] : []),
          ...chain.intermediates,
          ...chain.roots,
          ...chain.unrelated,
        ];
        expect([...fingerprints(places)].sort()).toEqual([...fingerprints(certificates)].sort());
      }),
      { numRuns: rounds(40, 150) },
    );
  });

  it('the leaf is the one the key fits, and the chain is complete when a way to a root is there', async () => {
    await fc.assert(
      fc.asyncProperty(subset, async (others) => {
        const chosen = new Set([...others, 'leaf'] as const);
        const certificates = [...chosen].map((name) => zoo[name].certificate);
        const chain = await buildChain(certificates, { key: zoo.leaf.key });
        expect(chain.leaf).toBe(zoo.leaf.certificate);
        const way = (chosen.has('viaA') && chosen.has('rootA')) || (chosen.has('viaB') && chosen.has('rootB'));
        expect(chain.complete).toBe(way);
        expect(chain.missingIssuer === undefined).toBe(way);
      }),
      { numRuns: rounds(40, 150) },
    );
  });

  it('of two ways to a root the CA certificate that is valid longer is taken, the other one is named', async () => {
    const all = members.map((name) => zoo[name].certificate);
    expect(names(await buildChain(all, { key: zoo.leaf.key }))).toEqual({
      path: ['broker', 'Issuing CA', 'Root A'],
      leaf: 'broker',
      intermediates: ['Issuing CA'],
      roots: ['Root A', expect.any(String), expect.any(String)],
      unrelated: expect.arrayContaining(['Issuing CA', 'broker', 'stranger']),
      complete: true,
    });
    const onlyB = [zoo.leaf, zoo.viaA, zoo.viaB, zoo.rootB].map(({ certificate }) => certificate);
    expect(pathOf(await buildChain(onlyB, { key: zoo.leaf.key }))[1]).toBe(zoo.viaB.certificate);
  });
});

it('goes the longer way to a root where the shorter one ends before the leaf', async () => {
  const early = { notAfter: new Date('2021-09-30') };
  const oldRoot = await issue({ name: 'Old Root', ca: true, ...early });
  const root = await issue({ name: 'Root', ca: true });
  const middle = await issue({ name: 'Middle CA', ca: true, issuer: root });
  const key = newKey('p-256');
  const viaOld = await issue({ name: 'Issuing CA', ca: true, key, issuer: oldRoot });
  const viaMiddle = await issue({ name: 'Issuing CA', ca: true, key, issuer: middle });
  const leaf = await issue({ name: 'broker', issuer: viaMiddle });
  const all = [leaf, viaOld, oldRoot, viaMiddle, middle, root].map(({ certificate }) => certificate);
  expect(names(await buildChain(all, { key: leaf.key })).path).toEqual(['broker', 'Issuing CA', 'Middle CA', 'Root']);
  const old = [leaf, viaOld, oldRoot].map(({ certificate }) => certificate);
  expect(names(await buildChain(old, { key: leaf.key })).path).toEqual(['broker', 'Issuing CA', 'Old Root']);
});

describe('the leaf', () => {
  it('without a key is the certificate that issued no other, and no CA if there is a choice', async () => {
    const { leaf, intermediates, root } = await issueChain({ intermediates: 2 });
    const all = [root, ...intermediates, leaf].map(({ certificate }) => certificate);
    expect((await buildChain(all)).leaf).toBe(leaf.certificate);
    const cas = all.slice(0, 3);
    expect((await buildChain(cas)).leaf).toBe(intermediates[0]?.certificate);
    const idle = await issue({ name: 'Idle CA', ca: true });
    expect((await buildChain([idle.certificate, ...all])).leaf).toBe(leaf.certificate);
  });

  it('is found by the key even where it is a CA or has issued others', async () => {
    const { leaf, intermediates, certificates } = await issueChain({ intermediates: 1 });
    const key = intermediates[0]?.key;
    expect((await buildChain(certificates, key === undefined ? {} : { key })).leaf).toBe(intermediates[0]?.certificate);
    expect((await buildChain(certificates, { key: leaf.key })).leaf).toBe(leaf.certificate);
    expect((await buildChain(certificates, { key: newKey('rsa-2048') })).leaf).toBe(leaf.certificate);
  });

  it('that a CA issued goes before the self-signed one of the same key', async () => {
    const { leaf, certificates } = await issueChain();
    const selfSigned = await issue({ name: 'broker', key: leaf.key });
    const chain = await buildChain([selfSigned.certificate, ...certificates], { key: leaf.key });
    expect(chain.leaf).toBe(leaf.certificate);
    expect(fingerprints(chain.unrelated)).toEqual(fingerprints([selfSigned.certificate]));
  });

  it('that signed itself is leaf and root', async () => {
    const { certificate, key } = await issue({ name: 'alone' });
    expect(await buildChain([certificate, certificate], { key })).toEqual({
      leaf: certificate,
      intermediates: [],
      roots: [certificate],
      unrelated: [],
      complete: true,
    });
  });

  it('is absent where there is no certificate', async () => {
    expect(await buildChain([])).toEqual({ intermediates: [], roots: [], unrelated: [], complete: false });
  });
});

describe('issuers', () => {
  it('are told apart from others of the same name by their key, with and without key identifiers', async () => {
    for (const keyIds of [true, false]) {
      const [right, wrong, older] = await Promise.all(
        ['one', 'two', 'three'].map((name) =>
          issue({ name: 'Same CA', ca: true, key: sharedKey('p-256', name), keyIds }),
        ),
      );
      if (right === undefined || wrong === undefined || older === undefined) throw new Error('unreachable');
      const leaf = await issue({ name: 'broker', issuer: right, keyIds });
      const chain = await buildChain([wrong, leaf, older, right].map(({ certificate }) => certificate));
      expect(fingerprints(pathOf(chain))).toEqual(fingerprints([leaf.certificate, right.certificate]));
    }
  });

  it('are found among many of one name that another key has', async () => {
    const name = { name: 'Root', ca: true, keyIds: false } as const;
    const root = await issue(name);
    const later = { ...name, notAfter: new Date('2041-01-01') };
    const others = await Promise.all(Array.from({ length: 40 }, () => issue(later)));
    const leaf = await issue({ name: 'broker', issuer: root, keyIds: false });
    const all = [...others, root, leaf].map(({ certificate }) => certificate);
    expect(pathOf(await buildChain(all, { key: leaf.key }))).toEqual([leaf.certificate, root.certificate]);
  });

  it('that are renewed under their key serve certificates issued before', async () => {
    const key = newKey('p-256');
    const old = await issue({ name: 'CA', ca: true, key, notAfter: new Date('2021-01-01') });
    const leaf = await issue({ name: 'broker', issuer: old });
    const renewed = await issue({ name: 'CA', ca: true, key, serial: '02' });
    const chain = await buildChain([old, renewed, leaf].map(({ certificate }) => certificate));
    expect(pathOf(chain)[1]).toBe(renewed.certificate);
  });

  it('that are missing are named, with what fits behind the leaf', async () => {
    const { certificates } = await issueChain({ intermediates: 3 });
    const chain = await buildChain(certificates.filter((_, i) => i !== 2).toReversed());
    expect(names(chain)).toMatchObject({
      path: ['broker.example', 'Intermediate 1'],
      roots: ['Root'],
      complete: false,
    });
    expect(chain.missingIssuer).toBe('CN=Intermediate 2, O=Test');
    expect(names(chain).unrelated).toEqual(['Intermediate 3']);
  });

  it('may come from elsewhere, to complete the chain and for nothing else', async () => {
    const { leaf, certificates } = await issueChain({ intermediates: 2 });
    const stranger = await issue({ name: 'Stranger', ca: true });
    const chain = await buildChain([leaf.certificate], { extra: [stranger.certificate, ...certificates] });
    expect(names(chain)).toMatchObject({
      path: ['broker.example', 'Intermediate 1', 'Intermediate 2', 'Root'],
      roots: ['Root'],
      unrelated: [],
      complete: true,
    });
  });

  it('in a circle end the search without a root', async () => {
    const [keyA, keyB] = [newKey('p-256'), newKey('p-256')];
    const selfA = await issue({ name: 'A', ca: true, key: keyA });
    const selfB = await issue({ name: 'B', ca: true, key: keyB });
    const aByB = await issue({ name: 'A', ca: true, key: keyA, issuer: selfB });
    const bByA = await issue({ name: 'B', ca: true, key: keyB, issuer: selfA });
    const leaf = await issue({ name: 'broker', issuer: selfA });
    for (const order of [
      [leaf, aByB, bByA],
      [bByA, aByB, leaf],
    ]) {
      const chain = await buildChain(order.map(({ certificate }) => certificate));
      expect(names(chain)).toMatchObject({ path: ['broker', 'A', 'B'], roots: [], complete: false });
      expect(chain.missingIssuer).toBeUndefined();
    }
    const withRoot = await buildChain([aByB, bByA, leaf, selfB].map(({ certificate }) => certificate));
    expect(names(withRoot)).toMatchObject({ path: ['broker', 'A', 'B'], roots: ['B'], complete: true });
  });

  it('whose certificate is damaged are no issuers', async () => {
    const { leaf, certificates, root } = await issueChain({ intermediates: 0 });
    const raw = Buffer.from(root.certificate.raw);
    raw.writeUInt8((raw.at(-1) ?? 0) ^ 1, raw.length - 1);
    const damaged = new X509Certificate(raw);
    const chain = await buildChain([leaf.certificate, damaged]);
    expect(chain).toMatchObject({ complete: false, roots: [] });
    expect(certificates).toHaveLength(2);
  });
});

describe('the search is bounded', () => {
  it('in a mesh of CAs that all signed each other, and among many of one name', async () => {
    const keys = Array.from({ length: 8 }, (_, i) => sharedKey('p-256', `mesh ${i}`));
    const selves = await Promise.all(keys.map((key, i) => issue({ name: `CA ${i}`, ca: true, key })));
    const mesh = await Promise.all(
      selves.flatMap((issuer, i) =>
        keys.flatMap((key, j) => (i === j ? [] : [issue({ name: `CA ${j}`, ca: true, key, issuer })])),
      ),
    );
    const namesakes = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        issue({
          name: 'CA 0',
          ca: true,
          key: sharedKey('p-256', `namesake ${i % 10}`),
          keyIds: false,
          serial: `${10 + i}`,
        }),
      ),
    );
    const [first] = selves;
    const leaf = await issue({ name: 'broker', ...(first === undefined ? {} : { issuer: first }) });
    const verify = vi.spyOn(X509Certificate.prototype, 'verify');
    const all = [...mesh, ...namesakes, leaf].map(({ certificate }) => certificate);
    const chain = await buildChain(all, { key: leaf.key });
    expect(chain.leaf).toBe(leaf.certificate);
    expect(verify.mock.calls.length).toBeLessThan(all.length + 100);
    verify.mockRestore();
  });
});
