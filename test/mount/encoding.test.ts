import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText } from '../../src/mount/convert/encoding.ts';
import { failureOf } from '../support/mount.ts';

describe('objectEncoding', () => {
  it('utf-8 is the text', () => {
    expect(decodeText('grüße\n', 'utf-8').toString()).toBe('grüße\n');
  });

  it.each(['base64', 'hex'] as const)('%s gives back whatever bytes were encoded', (encoding) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeText(Buffer.from(bytes).toString(encoding), encoding).equals(Buffer.from(bytes))).toBe(true);
      }),
    );
  });

  it.each([
    ['base64', 'aGVsbG8', 4],
    ['base64', 'aGV\nsb-8=', 6],
    ['base64', '====', 0],
    ['hex', 'abc', undefined],
    ['hex', 'abxy', 2],
  ] as const)('%s refuses %j, saying where', async (encoding, text, offset) => {
    const { code, message } = await failureOf(() => decodeText(text, encoding));
    expect(code).toBe('ERR_BAD_CONTENT');
    expect(message).toContain(offset === undefined ? 'odd length hex string' : String(offset));
    expect(message).toContain('objectEncoding');
  });

  it('never says a piece of a value it refuses', async () => {
    for (const encoding of ['base64', 'hex'] as const) {
      const { message } = await failureOf(() => decodeText('zZ9-plural-Z-alpha', encoding));
      expect(message).not.toMatch(/zZ9|plural/);
    }
  });
});
