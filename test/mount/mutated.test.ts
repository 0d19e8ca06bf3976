import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { convertObjects } from '../../src/mount/convert/convert.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { convertContext, fetchedSecret, objectSpec, outputsContent, read } from '../support/mount.ts';
import { issueChain, keyPem, pemOf, randomOf } from '../support/pki.ts';
import { rounds } from '../support/rounds.ts';

const MUTATED = rounds(200, 10_000);
const BATCH = 100;
const PFX = { contentType: 'application/x-pkcs12', certificateBacked: true };
const OUTPUTS = [
  { output: 'combined', path: 'combined.pem' },
  { output: 'pfx', path: 'out.pfx' },
] as const;

function mount(pfx: Buffer) {
  const object = objectSpec('c', { content: outputsContent(OUTPUTS) });
  return convertObjects([read(object, fetchedSecret(pfx.toString('base64'), PFX))], convertContext());
}

function mutate(pfx: Buffer, random: () => number): Buffer {
  const bytes = Buffer.from(pfx);
  const at = () => Math.floor(random() * bytes.length);
  if (random() < 0.1) return bytes.subarray(0, at());
  for (let changes = 1 + Math.floor(random() * 4); changes > 0; changes--) bytes[at()] = Math.floor(random() * 256);
  return bytes;
}

it(`${MUTATED} mutated PFX files are all answered, and the Mounts between them are right`, {
  timeout: 600_000,
}, async () => {
  const chain = await issueChain();
  const contents = { key: chain.leaf.key, certificates: chain.certificates };
  const few = { password: null, seed: randomBytes(8), iterations: 4 };
  const sources = await Promise.all([
    writePkcs12(contents, { ...PKCS12_FORMS.modern, ...few }),
    writePkcs12(contents, { ...PKCS12_FORMS.keyVault, ...few, macIterations: 1 }),
    writePkcs12(contents, {
      ...PKCS12_FORMS.legacy,
      ...few,
      keyCipher: 'none',
      certificateCipher: 'none',
      mac: 'none',
    }),
  ]);
  const good = await writePkcs12(contents, { ...PKCS12_FORMS.modern, ...few });
  const combined = keyPem(chain.leaf.key) + pemOf(chain.certificates.slice(0, 2));
  const expected = (await mount(good)).made.map(({ file }) => file.contents.toString('base64'));
  const random = randomOf(20);
  const answers = { refused: 0, written: 0 };
  for (let done = 0; done < MUTATED; done += BATCH) {
    const hostile = Array.from({ length: BATCH }, (_, i) => mutate(sources[i % 3] ?? good, random));
    const others = [mount(good), mount(good)];
    await Promise.all(
      hostile.map(async (pfx) => {
        const answer = await mount(pfx).catch((thrown: unknown) => thrown);
        if (!(answer instanceof Error)) answers.written++;
        else {
          expect(answer).toBeInstanceOf(ProviderError);
          expect(answer).toMatchObject({ code: 'ERR_BAD_CONTENT' });
          answers.refused++;
        }
      }),
    );
    for (const { made } of await Promise.all(others)) {
      expect(made[0]?.file.contents.toString()).toBe(combined);
      expect(made.map(({ file }) => file.contents.toString('base64'))).toEqual(expected);
    }
  }
  expect(answers.refused + answers.written).toBe(MUTATED);
  expect(answers.refused).toBeGreaterThan(0);
  expect(answers.written).toBeGreaterThan(0);
});
