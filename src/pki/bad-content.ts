/**
 * Makes the errors of this room: content that cannot become keys, certificates or the requested file. Every reader and
 * writer of `pki/` throws them through these functions. OpenSSL's own messages never leave the room.
 */

import { ProviderError } from '../base/errors.ts';

/**
 * The error of this room: content that cannot become keys, certificates or the file asked for.
 * What leaves the room stands on its own after `object "x": `. Inside, a reader says only what it found
 * ("is truncated") and {@link naming} puts the subject before it.
 */
export function badContent(message: string, cause?: unknown): ProviderError {
  return new ProviderError('ERR_BAD_CONTENT', message, cause === undefined ? {} : { cause });
}

/** Runs `job`; an error of OpenSSL, of which Node has many kinds, becomes a {@link badContent} with `message`. */
export function refusing<T>(message: string, job: () => T): T {
  try {
    return job();
  } catch (error) {
    if (error instanceof ProviderError) throw error;
    throw badContent(message, error);
  }
}

/** Runs `job`; the subject goes before the message of a {@link badContent} it throws. */
export async function naming<T>(subject: string, job: () => Promise<T> | T): Promise<T> {
  try {
    return await job();
  } catch (error) {
    if (error instanceof ProviderError && error.code === 'ERR_BAD_CONTENT') {
      throw badContent(`${subject} ${error.message}`, error.cause);
    }
    throw error;
  }
}
