import { describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { pairKey } from '../../src/pki/certified-key.ts';
import { pathOf } from '../../src/pki/chain.ts';
import { type Pkcs12Form, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { fingerprints, type IssuedChain, issueChain, keyPem, pemOf, randomOf } from '../support/pki.ts';
import { rounds } from '../support/rounds.ts';

const RUNS = rounds(200, 600);
const base: Pkcs12Form = {
  password: null,
  keyCipher: 'aes-256-cbc',
  certificateCipher: 'aes-256-cbc',
  mac: 'sha256',
  iterations: 2,
  seed: Buffer.from('seed'),
};

/** Returns contents to damage. `sealed` contents have a MAC over everything that is read. */
async function contentsOf({ leaf, certificates }: IssuedChain): Promise<readonly [string, Buffer, boolean][]> {
  const contents = { key: leaf.key, certificates };
  const write = (form: Partial<Pkcs12Form>) => writePkcs12(contents, { ...base, ...form });
  const open = { keyCipher: 'none', certificateCipher: 'none', mac: 'none' } as const;
  return [
    ['PKCS#12 with AES and SHA-256', await write({}), true],
    ['PKCS#12 of Key Vault', await write({ keyCipher: '3des', certificateCipher: 'rc2-40', mac: 'sha1' }), true],
    ['PKCS#12 without MAC', await write({ mac: 'none' }), false],
    ['PKCS#12 without encryption or MAC', await write(open), false],
    ['PKCS#12 in base64', Buffer.from((await write({})).toString('base64')), true],
    ['PEM', Buffer.from(keyPem(leaf.key) + pemOf(certificates)), false],
    [
      'DER',
      Buffer.concat([leaf.key.export({ format: 'der', type: 'pkcs8' }), ...certificates.map(({ raw }) => raw)]),
      false,
    ],
  ];
}

/** Changes, removes, inserts, repeats or truncates a few bytes. */
function mutate(content: Buffer, random: () => number): Buffer {
  const bytes = Buffer.from(content);
  const at = () => Math.floor(random() * bytes.length);
  const [start, end] = [at(), at()].sort((a, b) => a - b) as [number, number];
  switch (Math.floor(random() * 7)) {
    case 0:
      bytes[start] = (bytes[start] ?? 0) ^ (1 << Math.floor(random() * 8));
      return bytes;
    case 1:
      bytes[start] = Math.floor(random() * 256);
      bytes[end] = Math.floor(random() * 256);
      return bytes;
    case 2:
      return bytes.subarray(0, end);
    case 3:
      return Buffer.concat([bytes.subarray(0, start), bytes.subarray(Math.min(end, start + 8))]);
    case 4:
      return Buffer.concat([bytes.subarray(0, start), bytes.subarray(start, start + 16), bytes.subarray(start)]);
    case 5:
      return Buffer.concat([
        bytes.subarray(0, start),
        Buffer.alloc(1 + Math.floor(random() * 4), 0xff),
        bytes.subarray(start),
      ]);
    default:
      bytes.fill(Math.floor(random() * 256), start, Math.min(end, start + 4));
      return bytes;
  }
}

describe.each(['rsa-2048', 'p-256', 'ed25519'] as const)('damaged content with a %s key', (keyType) => {
  it('is refused or read right: never a crash, a hang or a wrong pair', async () => {
    const chain = await issueChain({ keyType });
    const original = keyPem(chain.leaf.key);
    const known = new Set(fingerprints(chain.certificates));
    const outcomes = { refused: 0, read: 0 };
    for (const [name, content, sealed] of await contentsOf(chain)) {
      const random = randomOf(content.length);
      for (let run = 0; run < RUNS / 7; run++) {
        const bundle = await readBundle(mutate(content, random)).catch((error: unknown) => {
          expect(error, name).toBeInstanceOf(ProviderError);
          expect(error, name).toMatchObject({ code: 'ERR_BAD_CONTENT' });
          return undefined;
        });
        if (bundle === undefined) {
          outcomes.refused++;
          continue;
        }
        outcomes.read++;
        if (sealed) expect(fingerprints(bundle.certificates).every((print) => known.has(print))).toBe(true);
        const { key, chain: built, fits } = await pairKey(bundle);
        const path = pathOf(built);
        for (const [i, certificate] of path.slice(0, -1).entries()) {
          expect(certificate.verify(path[i + 1]?.publicKey ?? certificate.publicKey)).toBe(true);
        }
        if (!fits || key === undefined || built.leaf === undefined) continue;
        expect(keyPem(key), `${name} run ${run}`).toBe(original);
      }
    }
    expect(outcomes.refused).toBeGreaterThan(0);
    expect(outcomes.read).toBeGreaterThan(0);
  });
});
