/** Holds the format of sealed files: what was sealed comes back, and whatever else is opened is refused with its reason. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seal, sealedBytes, Unsealable, unseal } from '../../../src/azure/store/seal.ts';
import { rounds } from '../../support/rounds.ts';
import { newKey } from '../../support/store.ts';

const NAME = 'a.entry';
const HEAD = { key: ['object', 'principal', 'vault', 'secret', 'db-password'], sequence: 7 };
const SECRET = Buffer.from('correct horse battery staple');

const key = await newKey();
const sealed = () => seal(key, NAME, HEAD, SECRET);
const refusalOf = (bytes: Buffer, { keys = [key], name = NAME } = {}) =>
  unseal(keys, name, bytes).then(
    ({ content }) => `opened: ${content}`,
    (error: unknown) => (error instanceof Unsealable ? error.message : Promise.reject(error)),
  );

describe('a sealed file', () => {
  it('gives back head and content, whatever they are', async () => {
    const content = fc.uint8Array({ maxLength: 5000 });
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 2 }), content, fc.string(), async (head, bytes, name) => {
        const opened = await unseal([key], name, await seal(key, name, head, Buffer.from(bytes)));
        expect(opened.head).toEqual(JSON.parse(JSON.stringify(head)));
        expect(opened.content.equals(Buffer.from(bytes))).toBe(true);
      }),
      { numRuns: rounds(50, 2000) },
    );
  });

  it('shows neither the value nor what it is about, and no two are alike', async () => {
    const [one, other] = [await sealed(), await sealed()];
    for (const text of [SECRET.toString(), 'db-password', 'principal', 'node-1']) {
      expect(one.includes(text)).toBe(false);
    }
    expect(one.subarray(24, 56).equals(other.subarray(24, 56))).toBe(false);
    expect(one.subarray(56).equals(other.subarray(56))).toBe(false);
  });

  it('has the same size for passwords of different lengths', async () => {
    const sizes = await Promise.all(
      [1, 20, 400].map(async (n) => (await seal(key, NAME, HEAD, Buffer.alloc(n))).length),
    );
    expect(new Set(sizes)).toEqual(new Set([56 + 1024 + 16]));
    expect(sizes[0]).toBe(sealedBytes(JSON.stringify(HEAD).length, 1));
  });

  it('is refused where any byte is another one', async () => {
    const good = await sealed();
    const reasons = new Map<string, number>();
    for (let at = 0; at < good.length; at++) {
      const bytes = Buffer.from(good);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
      const reason = await refusalOf(bytes);
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    expect(Object.fromEntries([...reasons].map(([reason, count]) => [reason.replace(/\d+/, 'N'), count]))).toEqual({
      'it does not begin as a sealed file does': 7,
      'its format is version N, and this provider reads 1': 1,
      'it was sealed by a key that is not in the key file': 8,
      'it was sealed on another node than "node-N"': 8,
      'it is not what was sealed under this name: it was changed, cut or renamed': good.length - 24,
    });
  });

  it('is refused at every length but its own', async () => {
    const good = await sealed();
    for (let length = 0; length < good.length; length++) {
      expect(await refusalOf(good.subarray(0, length))).toMatch(/cut/);
    }
    expect(await refusalOf(Buffer.concat([good, Buffer.alloc(1)]))).toMatch(/changed, cut or renamed/);
  });

  it('is refused under another name, with another key, and on another node', async () => {
    const good = await sealed();
    expect(await refusalOf(good, { name: 'b.entry' })).toMatch(/changed, cut or renamed/);
    expect(await refusalOf(good, { keys: [await newKey()] })).toMatch(/by a key that is not in the key file/);
    const bytes = Buffer.alloc(32, 'k');
    const [here, there] = [await newKey('here', bytes), await newKey('there', bytes)];
    expect(await refusalOf(await seal(here, NAME, HEAD, SECRET), { keys: [there] })).toMatch(
      /on another node than "there"/,
    );
  });

  it('is refused where it claims the node and the key of another', async () => {
    const bytes = Buffer.alloc(32, 'k');
    const [here, there] = [await newKey('here', bytes), await newKey('there', bytes)];
    const moved = await seal(here, NAME, HEAD, SECRET);
    there.nodeMark.copy(moved, 16);
    expect(await refusalOf(moved, { keys: [there] })).toMatch(/changed, cut or renamed/);
    const foreign = await seal(await newKey(), NAME, HEAD, SECRET);
    key.id.copy(foreign, 8);
    key.nodeMark.copy(foreign, 16);
    expect(await refusalOf(foreign)).toMatch(/changed, cut or renamed/);
  });

  it('is opened by any key of the file, and random bytes by none', async () => {
    const older = await newKey();
    expect(await refusalOf(await seal(older, NAME, HEAD, SECRET), { keys: [key, older] })).toBe(`opened: ${SECRET}`);
    const noise = (seed: number) =>
      Buffer.concat(Array.from({ length: 40 }, (_, block) => createHash('sha256').update(`${seed} ${block}`).digest()));
    for (let seed = 0; seed < rounds(100, 5000); seed++) expect(await refusalOf(noise(seed))).not.toMatch(/opened/);
  });
});
