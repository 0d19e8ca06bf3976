/**
 * Decodes a value by the `objectEncoding` of the manifest. `value.ts` calls it. A value that is not in its encoding is
 * refused, in Go's words.
 */

import { decodeBase64, decodeHex } from '../../base/encoding.ts';
import { ProviderError } from '../../base/errors.ts';

/**
 * Returns the bytes of a text in the given encoding. Throws: ERR_BAD_CONTENT in Go's words, without any part of the
 * value.
 */
export function decodeText(text: string, encoding: 'utf-8' | 'base64' | 'hex'): Buffer {
  switch (encoding) {
    case 'utf-8':
      return Buffer.from(text, 'utf8');
    case 'base64': {
      const decoded = decodeBase64(text);
      if (decoded.ok) return decoded.bytes;
      throw refused(`illegal base64 data at input byte ${decoded.offset}`, 'base64 (standard alphabet, with padding)');
    }
    case 'hex': {
      const decoded = decodeHex(text);
      if (decoded.ok) return decoded.bytes;
      const reason =
        decoded.offset === text.length ? 'odd length hex string' : `invalid byte at offset ${decoded.offset}`;
      throw refused(`encoding/hex: ${reason}`, 'hexadecimal digits only');
    }
  }
}

function refused(reason: string, expected: string): ProviderError {
  return new ProviderError('ERR_BAD_CONTENT', `${reason}; the value must be ${expected}, or objectEncoding has to go`);
}
