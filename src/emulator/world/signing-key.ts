/**
 * Makes the keys that sign tokens, each with its key id. Seeds and controls call it.
 */

import { createHash, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { publicPartOf } from './key-material.ts';
import type { SigningKey } from './model.ts';

const generatePair = promisify(generateKeyPair);

/** Makes a key: RSA 2048 or EC P-256. */
export async function newSigningKey(type: 'rsa' | 'ec'): Promise<SigningKey> {
  const { privateKey } =
    type === 'rsa'
      ? await generatePair('rsa', { modulusLength: 2048 })
      : await generatePair('ec', { namedCurve: 'prime256v1' });
  return signingKeyOf(privateKey);
}

/** Returns a private key with its public part and an id that depends on the key only. */
export function signingKeyOf(privateKey: KeyObject): SigningKey {
  const publicKey = publicPartOf(privateKey);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return { privateKey, publicKey, kid: createHash('sha1').update(spki).digest('base64url') };
}
