/**
 * Decodes base64url strictly, for parts of tokens and numbers of keys. Refuses padding, foreign characters and spare
 * bits, which Node's own decoder accepts, so that one content has one text.
 */

/** Returns the bytes of a text in base64url without padding, or undefined for everything else. */
export function decodeBase64Url(text: unknown): Buffer | undefined {
  if (typeof text !== 'string') return undefined;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
