/**
 * Makes the errors of this room: content that cannot become keys, certificates or the requested file. Every reader and
 * writer of `pki/` throws them through these functions. OpenSSL's own messages never leave the room.
 */

import { ProviderError } from '../base/errors.ts';

/**
 * The error of this room. A message that leaves the room is complete after `object "x": `. Inside the room, a reader
 * gives only its observation ("is truncated"), and {@link naming} puts the subject before it.
 */
export function badContent(message: string, cause?: unknown): ProviderError {
  return new ProviderError('ERR_BAD_CONTENT', message, cause === undefined ? {} : { cause });
}

/** Runs `job`; any error of OpenSSL becomes a {@link badContent} with `message`. */
export function refusing<T>(message: string, job: () => T): T {
  try {
    return job();
  } catch (error) {
    if (error instanceof ProviderError) throw error;
    throw badContent(message, error);
  }
}

/** Runs `job`; puts the subject before the message of a {@link badContent} that it throws. */
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
