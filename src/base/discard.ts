/**
 * Frees the memory of buffers whose contents are no longer used. Transport and server call it: V8 counts the memory of
 * buffers late, and without it each read and each answer would leave its bytes until a collection.
 */

/** `transfer` frees the memory at once. Node 20 does not have it; the collector frees the memory there. */
type Memory = ArrayBufferLike & { readonly transfer?: (bytes: number) => ArrayBuffer };

/** Overwrites `bytes` and frees their memory. Nobody may use them afterwards. Parts of larger buffers are overwritten. */
export function discard(bytes: Uint8Array): void {
  // The runtime refuses to touch a buffer whose memory was freed before.
  if (bytes.length === 0) return;
  bytes.fill(0);
  const memory: Memory = bytes.buffer;
  if (bytes.length === memory.byteLength) memory.transfer?.(0);
}
