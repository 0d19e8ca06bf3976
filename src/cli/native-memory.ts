/**
 * Loads `memory.node` (native/memory.c): calls of the C library that Node has no interface for. `serve` loads it when it
 * is up. The image has it; a program that was built without a C compiler does not, and needs more memory.
 */

/** What `memory.node` exports. */
export interface NativeMemory {
  /**
   * Has the kernel read one page of the program's code at a time. It would read 32 around each, and drop others that are
   * in use for them.
   */
  readonly readSinglePages: () => void;
  /**
   * Takes the pages of the program's code and constants out of the process, most of which only its start needed. The kernel
   * keeps them in its cache as pages that it may drop first; each use maps them again, without the disk if they are still
   * there. Takes about 2 ms.
   */
  readonly releaseCode: () => void;
  /** Returns the free pages inside the heap of the C library to the kernel. */
  readonly trim: () => void;
}

/** Returns undefined if there is no `memory.node` that works on this machine. */
export async function loadNativeMemory(): Promise<NativeMemory | undefined> {
  try {
    return await import('./memory.node');
  } catch {
    return undefined;
  }
}
