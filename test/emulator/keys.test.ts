import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect, type Lab, openLab, seedWith, VAULT, vaultGet } from '../support/emulator.ts';

const SEED = seedWith(`
    keys:
      - {name: rsa, kty: RSA, size: 2048}
      - {name: rsa-hsm, kty: RSA-HSM}
      - {name: p256}
      - {name: p256-hsm, kty: EC-HSM}
      - {name: p384, crv: P-384}
      - {name: p521, crv: P-521}
      - {name: p256k, crv: P-256K}
      - {name: symmetric, kty: oct-HSM, operations: [wrapKey, unwrapKey]}
      - {name: off, enabled: false}
      - {name: versioned, versions: 27}
`);

describe('keys of the emulator, with the stock client', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(SEED);
  });
  afterAll(() => lab.close());

  it.each([
    ['rsa', { kty: 'RSA' }],
    ['rsa-hsm', { kty: 'RSA-HSM' }],
    ['p256', { kty: 'EC', crv: 'P-256' }],
    ['p256-hsm', { kty: 'EC-HSM', crv: 'P-256' }],
    ['p384', { kty: 'EC', crv: 'P-384' }],
    ['p521', { kty: 'EC', crv: 'P-521' }],
  ])('are usable public keys: %s', async (name, expected) => {
    const { json } = await vaultGet(lab, `/keys/${name}?api-version=7.4`);
    expect(json.key).toMatchObject(expected);
    const publicKey = createPublicKey({ key: { ...json.key, kty: json.key.kty.replace('-HSM', '') }, format: 'jwk' });
    expect(publicKey.type).toBe('public');
    expect(json.key.d).toBeUndefined();
    expect((await lab.keys.getKey(name)).keyType).toBe(expected.kty);
  });

  it("name secp256k1 by Key Vault's name", async () => {
    const { key } = await lab.keys.getKey('p256k');
    expect(key?.crv).toBe('P-256K');
    expect(key?.x).toHaveLength(32);
  });

  it('show nothing of a symmetric key but its kind and operations', async () => {
    const { json } = await vaultGet(lab, '/keys/symmetric?api-version=7.4');
    expect(Object.keys(json.key).sort()).toEqual(['key_ops', 'kid', 'kty']);
    expect(json.key).toMatchObject({ kty: 'oct-HSM', key_ops: ['wrapKey', 'unwrapKey'] });
  });

  it('refuse a disabled key, and name a missing key', async () => {
    await expect(lab.keys.getKey('off')).rejects.toMatchObject({
      statusCode: 403,
      details: { error: { innerError: { code: 'KeyDisabled' } } },
    });
    await expect(lab.keys.getKey('nope')).rejects.toMatchObject({ statusCode: 404, code: 'KeyNotFound' });
  });

  it('list names and versions', async () => {
    expect(await collect(lab.keys.listPropertiesOfKeyVersions('versioned'))).toHaveLength(27);
    const names = (await collect(lab.keys.listPropertiesOfKeys())).map(({ name }) => name);
    expect(names).toEqual([
      'off',
      'p256',
      'p256-hsm',
      'p256k',
      'p384',
      'p521',
      'rsa',
      'rsa-hsm',
      'symmetric',
      'versioned',
    ]);
  });

  it('are created, updated, rotated, deleted, recovered and purged', async () => {
    const first = await lab.keys.createEcKey('made', { curve: 'P-384', tags: { a: '1' } });
    expect(first.key?.crv).toBe('P-384');
    const updated = await lab.keys.updateKeyProperties('made', first.properties.version ?? '', { keyOps: ['sign'] });
    expect(updated.keyOperations).toEqual(['sign']);
    const rotated = await lab.keys.rotateKey('made');
    expect(rotated.properties.version).not.toBe(first.properties.version);
    expect(rotated.key?.crv).toBe('P-384');
    expect((await lab.keys.createRsaKey('made-rsa', { keySize: 3072 })).key?.n).toHaveLength(384);
    await (await lab.keys.beginDeleteKey('made', { intervalInMs: 1 })).pollUntilDone();
    await expect(lab.keys.createKey('made', 'EC')).rejects.toMatchObject({ statusCode: 409 });
    expect((await collect(lab.keys.listDeletedKeys())).map(({ name }) => name)).toEqual(['made']);
    await (await lab.keys.beginRecoverDeletedKey('made', { intervalInMs: 1 })).pollUntilDone();
    expect((await lab.keys.getKey('made')).properties.version).toBe(rotated.properties.version);
    await (await lab.keys.beginDeleteKey('made', { intervalInMs: 1 })).pollUntilDone();
    await lab.keys.purgeDeletedKey('made');
    await expect(lab.keys.getKey('made')).rejects.toMatchObject({ statusCode: 404 });
  });

  it('are imported; only the public part comes back', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = privateKey.export({ format: 'jwk' });
    const part = (text: string | undefined) => new Uint8Array(Buffer.from(text ?? '', 'base64url'));
    const members = { kty: 'EC', crv: 'P-256', x: part(jwk.x), y: part(jwk.y) };
    const imported = await lab.keys.importKey('imported', { ...members, d: part(jwk.d) });
    expect(Buffer.from(imported.key?.x ?? []).toString('base64url')).toBe(publicKey.export({ format: 'jwk' }).x);
    expect(imported.key?.d).toBeUndefined();
    await expect(lab.keys.importKey('broken', { kty: 'EC', crv: 'P-256' })).rejects.toMatchObject({ statusCode: 400 });
    // Node 20 and 22 end the process when such a key is exported.
    const long = await lab.keys.importKey('long', { ...members, d: new Uint8Array(33).fill(1) });
    expect(long.key?.d).toBeUndefined();
  });

  it.each([
    ['an unknown kind', { kty: 'DSA' }],
    ['an unknown curve', { kty: 'EC', crv: 'P-1' }],
    ['an unknown size', { kty: 'RSA', key_size: 1000 }],
    ['no kind', {}],
  ])('are not created with %s', async (_, body) => {
    const poller = lab.keys.createKey('refused', String((body as { kty?: string }).kty ?? ''), {
      ...('crv' in body ? { curve: body.crv ?? '' } : {}),
      ...('key_size' in body ? { keySize: body.key_size ?? 0 } : {}),
    });
    await expect(poller).rejects.toMatchObject({ statusCode: 400, code: 'BadParameter' });
  });

  it('are made by the program that started the emulator', async () => {
    const version = await lab.emulator.createKey(VAULT, 'own', { kty: 'RSA' });
    expect((await lab.keys.getKey('own')).properties.version).toBe(version);
  });
});
