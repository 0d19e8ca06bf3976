import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { pairKey } from '../../src/pki/certified-key.ts';

const lines = readFileSync(new URL('fixtures/pbmac1.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .slice(1);
const files = lines.map((line) => line.split(' ') as [string, string]);

it.each(files)('PKCS#12 with PBMAC1 as Bouncy Castle writes it is read: %s', async (_, base64) => {
  const content = Buffer.from(base64, 'base64');
  expect(content.includes(Buffer.from('2a864886f70d01050e', 'hex'))).toBe(true);
  const material = await pairKey(await readBundle(content, { password: new Secret('pass') }));
  expect(material).toMatchObject({ fits: true, chain: { complete: true } });
  expect(material.chain.leaf?.subject).toBe('CN=leaf-p256');
  await expect(readBundle(content, { password: new Secret('Pass') })).rejects.toThrow('does not open');
  const damaged = Buffer.from(content);
  damaged.writeUInt8((damaged[200] ?? 0) ^ 1, 200);
  await expect(readBundle(damaged, { password: new Secret('pass') })).rejects.toMatchObject({
    code: 'ERR_BAD_CONTENT',
  });
});
