import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase64, decodeHex } from '../../src/base/encoding.ts';

describe('base64', () => {
  it('reads what Node writes, with line breaks anywhere', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.nat(50),
        fc.constantFrom('', '\n', '\r\n', '\n\n'),
        (bytes, at, gap) => {
          const text = Buffer.from(bytes).toString('base64');
          const decoded = decodeBase64(text.slice(0, at) + gap + text.slice(at));
          return decoded.ok && decoded.bytes.equals(bytes);
        },
      ),
    );
  });

  it('reads bits that padding leaves over, as Go does', () => {
    expect(decodeBase64('QR==')).toEqual({ ok: true, bytes: Buffer.from('A') });
  });

  /** Offsets as Go 1.26's encoding/base64 gives them. */
  it.each([
    ['Q', 0],
    ['QQ', 0],
    ['QUI', 0],
    ['QUJDR', 4],
    ['QQ=', 3],
    ['=', 0],
    ['Q===', 1],
    ['QUJD=', 4],
    ['QQ==Q', 4],
    ['QQ==\nQQ==', 5],
    ['QQ=Q', 2],
    ['QUI=Q', 4],
    ['QU I', 2],
    [' QUJD', 0],
    ['QUJD ', 4],
    ['-_-_', 0],
    ['QU\nI-', 4],
    ['\nb/', 1],
    ['ü', 0],
    ['<base64 here>', 0],
  ])('%j is refused at %d', (text, offset) => expect(decodeBase64(text)).toEqual({ ok: false, offset }));
});

describe('hexadecimal', () => {
  it('reads what Node writes, in either case', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, upper) => {
        const text = Buffer.from(bytes).toString('hex');
        const decoded = decodeHex(upper ? text.toUpperCase() : text);
        return decoded.ok && decoded.bytes.equals(bytes);
      }),
    );
  });

  it.each([
    ['zz', 0],
    ['0z', 1],
    ['00 00', 2],
    ['00\n', 2],
    ['0x00', 1],
    ['0', 1],
    ['000', 3],
  ])('%j is refused at %d', (text, offset) => expect(decodeHex(text)).toEqual({ ok: false, offset }));
});
