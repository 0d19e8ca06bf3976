import { describe, expect, it } from 'vitest';
import { discard } from '../../src/base/discard.ts';

describe('a discarded buffer', () => {
  it('is overwritten, and gives its memory back where the runtime can do that', () => {
    const bytes = Buffer.alloc(20_000, 'hunter2');
    const memory = bytes.buffer;
    const isFreed = 'transfer' in memory;
    discard(bytes);
    expect(memory.byteLength).toBe(isFreed ? 0 : 20_000);
    expect(bytes.includes('hunter2')).toBe(false);
  });

  it('may be discarded again, and so may one without bytes', () => {
    for (const bytes of [Buffer.alloc(20_000), Buffer.alloc(0)]) {
      discard(bytes);
      expect(() => discard(bytes)).not.toThrow();
    }
  });

  it('leaves the rest of the memory that it is a part of', () => {
    const whole = Buffer.from('before|hunter2|after');
    discard(whole.subarray(7, 14));
    expect(whole.toString()).toBe(`before|${'\0'.repeat(7)}|after`);
  });
});
