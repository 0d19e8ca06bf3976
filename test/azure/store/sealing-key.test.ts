/** Holds which key files are taken, and what is said of the others. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { seal, unseal } from '../../../src/azure/store/seal.ts';
import { readSealingKeys } from '../../../src/azure/store/sealing-key.ts';
import { newDirectory } from '../../support/store.ts';

function keyFile(content: string | Buffer, mode = 0o400): string {
  const path = join(newDirectory(), 'key');
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const read = (path: string) => readSealingKeys(path, 'node-1');
const refusalOf = (path: string) =>
  read(path).then(
    (keys) => `${keys.length} keys`,
    ({ code, message }) => `${code} ${message}`.replace(path, 'FILE'),
  );
const inBase64 = () => randomBytes(32).toString('base64');
const RULE =
  'a key is 32 random bytes, raw or in base64, one key a line; make one with: head -c 32 /dev/urandom | base64';

describe('a key file', () => {
  it('holds a raw key, or lines of base64', async () => {
    expect(await refusalOf(keyFile(randomBytes(32)))).toBe('1 keys');
    expect(await refusalOf(keyFile(inBase64()))).toBe('1 keys');
    expect(await refusalOf(keyFile(`${inBase64()}\r\n\n  ${inBase64()}  \n${inBase64()}\n`))).toBe('3 keys');
  });

  it('means the same key, raw and in base64, also through the links of a Secret volume', async () => {
    const bytes = randomBytes(32);
    const directory = newDirectory();
    mkdirSync(join(directory, '..1'));
    writeFileSync(join(directory, '..1/key'), bytes.toString('base64'), { mode: 0o440 });
    symlinkSync('..1', join(directory, '..data'));
    symlinkSync('..data/key', join(directory, 'key'));
    const [[raw], linked] = [await read(keyFile(bytes)), await read(join(directory, 'key'))];
    if (raw === undefined) throw new Error('no key');
    const sealed = await seal(raw, 'a', {}, Buffer.from('value'));
    expect((await unseal(linked, 'a', sealed)).content.toString()).toBe('value');
  });

  const lines = (count: number) => Array.from({ length: count }, inBase64).join('\n');
  it.each<[string, () => string | Buffer, string]>([
    ['is empty', () => '', 'it is empty'],
    ['has blanks only', () => ' \n\n', 'it is empty'],
    ['is a raw key of 31 bytes', () => Buffer.alloc(31, 0xff), 'it has 31 bytes, and line 1 is not base64'],
    ['is a raw key of 33 bytes', () => Buffer.alloc(33, 0xff), 'it has 33 bytes, and line 1 is not base64'],
    ['is a short key', () => randomBytes(16).toString('base64'), 'line 1 holds 16 bytes, not 32'],
    ['is a long key', () => `${inBase64()}\n${randomBytes(64).toString('base64')}`, 'line 2 holds 64 bytes, not 32'],
    ['is in hexadecimal', () => randomBytes(32).toString('hex'), 'line 1 holds 48 bytes, not 32'],
    ['is base64 without padding', () => inBase64().replace('=', ''), 'it has 43 bytes, and line 1 is not base64'],
    [
      'is in the URL alphabet',
      () => Buffer.alloc(32, 0xfb).toString('base64url'),
      'it has 43 bytes, and line 1 is not base64',
    ],
    ['is all zero', () => Buffer.alloc(32), 'the key repeats the same few bytes'],
    [
      'repeats itself',
      () => randomBytes(16).toString('base64').slice(0, 0) + Buffer.alloc(32, 'abcdefgh').toString('base64'),
      'the key of line 1 repeats the same few bytes',
    ],
    ['is a password', () => 'CorrectHorseBatteryStaple!?#1234'.slice(0, 32), 'the key is text, such as a password'],
    [
      'counts',
      () => Buffer.from(Array.from({ length: 32 }, (_, at) => 200 + 3 * at)),
      'the key is a sequence of numbers',
    ],
    ['has nine lines', () => lines(9), 'it has 9 lines, more than 8'],
  ])('that %s is refused', async (_, content, reason) => {
    expect(await refusalOf(keyFile(content()))).toBe(`ERR_SETUP --offline-cache-key-file FILE: ${reason}; ${RULE}`);
  });

  it('is refused where every user may read or write it', async () => {
    for (const mode of [0o404, 0o644, 0o602, 0o777]) {
      expect(await refusalOf(keyFile(inBase64(), mode))).toBe(
        `ERR_SETUP --offline-cache-key-file FILE: its mode is 0${mode.toString(8)}, so that every user of the node may ` +
          'use the key; set its mode to 0400 (chmod 0400, or defaultMode: 0400 of the Secret volume)',
      );
    }
    expect(await refusalOf(keyFile(inBase64(), 0o440))).toBe('1 keys');
  });

  it('is refused where it is none, or too large', async () => {
    const directory = newDirectory();
    expect(await refusalOf(directory)).toMatch(/it is a directory; mount the file, or correct the flag$/);
    expect(await refusalOf(join(directory, 'gone'))).toMatch(/no such file or directory; mount the file/);
    expect(await refusalOf('/dev/zero')).toMatch(/it is not a regular file/);
    expect(await refusalOf(keyFile(lines(100)))).toMatch(/larger than 4096 bytes/);
  });

  it('is never quoted', async () => {
    const secret = `${inBase64().slice(1)}!`;
    expect(await refusalOf(keyFile(secret))).not.toContain(secret.slice(5, 15));
  });

  it('takes every random key', async () => {
    for (let round = 0; round < 500; round++) expect(await refusalOf(keyFile(randomBytes(32)))).toBe('1 keys');
  });
});
