import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KnownRequest } from '../../src/azure/vault/known-request.ts';
import type { KnownEntry, LastKnownGood } from '../../src/azure/vault/last-known-good.ts';
import { HOUR, memoryOf, REQUEST } from '../support/known.ts';
import { fetchedSecret } from '../support/mount.ts';

const LISTING: KnownRequest<'list the versions of'> = { ...REQUEST, operation: 'list the versions of' };

const value = (text: string, version = 'v1') => fetchedSecret(text, { version });
const textOf = (found: ReturnType<LastKnownGood['find']>) =>
  found !== undefined && 'type' in found.value && found.value.type === 'secret'
    ? found.value.value.reveal()
    : undefined;

describe('a last known value', () => {
  it('answers its own request, and no other', () => {
    const { known } = memoryOf();
    known.keep(REQUEST, value('one'));
    known.keep(LISTING, [{ version: 'v1', enabled: true, createdAt: 1 }]);
    expect(textOf(known.find(REQUEST))).toBe('one');
    expect(known.find(LISTING)?.value).toEqual([{ version: 'v1', enabled: true, createdAt: 1 }]);
    const others: Partial<KnownRequest>[] = [
      { principal: 'q' },
      { vaultUrl: 'https://w' },
      { type: 'key' },
      { name: 'b' },
      { version: 'v1' },
    ];
    for (const other of others) expect(known.find({ ...REQUEST, ...other })).toBeUndefined();
  });

  it('is gone after its time, and leaves memory when it is swept', () => {
    const { clock, sweeper, known } = memoryOf();
    known.keep(REQUEST, value('one'));
    clock.time += HOUR - 1;
    expect(textOf(known.find(REQUEST))).toBe('one');
    clock.time += 1;
    sweeper.sweep();
    expect(sweeper.size).toBe(0);
    expect(known.find(REQUEST)).toBeUndefined();
  });

  it.each([-HOUR * 24, HOUR * 24])('keeps its time where the wall clock is set by %s ms', (offBy) => {
    const { clock, known } = memoryOf();
    known.keep(REQUEST, value('one'));
    clock.offBy = offBy;
    clock.time += HOUR - 1;
    expect(textOf(known.find(REQUEST))).toBe('one');
    clock.time += 1;
    expect(known.find(REQUEST)).toBeUndefined();
  });

  it('is not kept where the time is 0', () => {
    const told: unknown[] = [];
    const witness = { kept: (entry: KnownEntry) => void told.push(entry), erased: () => void told.push('erased') };
    const { sweeper, known } = memoryOf({ maxStaleMs: 0, witness });
    known.keep(REQUEST, value('one'));
    known.load({ ...REQUEST, value: value('one'), ageMs: 0, heldMs: 0 });
    known.erase(REQUEST);
    expect([known.find(REQUEST), sweeper.size, told]).toEqual([undefined, 0, []]);
  });

  it('tells since when the vault gives the same version', () => {
    const { clock, known } = memoryOf();
    const first = clock.steady();
    known.keep(REQUEST, value('one', 'v1'));
    clock.time += 1000;
    known.keep(REQUEST, value('one', 'v1'));
    expect(known.find(REQUEST)).toMatchObject({ since: first, readAt: clock.steady() });
    clock.time += 1000;
    known.keep(REQUEST, value('two', 'v2'));
    expect(known.find(REQUEST)).toMatchObject({ since: clock.steady(), readAt: clock.steady() });
  });
});

describe('the witness', () => {
  it('hears of each value that is kept, with its ages, and of each that is erased', () => {
    const told: unknown[] = [];
    const { clock, known } = memoryOf({
      witness: { kept: (entry) => void told.push(entry), erased: (request) => void told.push(request) },
    });
    known.keep(REQUEST, value('one'));
    clock.time += 5000;
    known.keep(REQUEST, value('one'));
    known.erase(REQUEST);
    expect(told).toEqual([
      { ...REQUEST, value: value('one'), ageMs: 0, heldMs: 0 },
      { ...REQUEST, value: value('one'), ageMs: 0, heldMs: 5000 },
      REQUEST,
    ]);
  });

  it('gives back at the next start what it was told, with the ages that it has by then', () => {
    const { clock, known } = memoryOf();
    clock.time = 5;
    known.load({ ...REQUEST, value: value('one'), ageMs: HOUR - 1000, heldMs: 2 * HOUR });
    known.load({ ...REQUEST, name: 'old', value: value('old'), ageMs: HOUR, heldMs: HOUR });
    expect(textOf(known.find(REQUEST))).toBe('one');
    expect(known.find({ ...REQUEST, name: 'old' })).toBeUndefined();
    clock.time += 1000;
    expect(known.find(REQUEST)).toBeUndefined();
  });

  it('does not put an older value in place of what the vault gave since', () => {
    const { known } = memoryOf();
    known.keep(REQUEST, value('new', 'v2'));
    known.load({ ...REQUEST, value: value('old', 'v1'), ageMs: 1000, heldMs: 1000 });
    expect(textOf(known.find(REQUEST))).toBe('new');
  });
});

it('keeps the share of a principal, however much the others read', () => {
  const maxBytes = 64 * 1024;
  const principals = ['p', 'q', 'r'];
  const others = fc.array(fc.record({ by: fc.nat(1), bytes: fc.nat(9000), name: fc.nat(400) }), { maxLength: 300 });
  fc.assert(
    fc.property(fc.array(fc.nat(2000), { minLength: 1, maxLength: 6 }), others, (own, reads) => {
      const { known } = memoryOf({ maxBytes });
      // Less than a third of all, with what an entry takes besides its value.
      for (const [index, bytes] of own.entries()) {
        known.keep({ ...REQUEST, name: `${index}` }, value('x'.repeat(bytes)));
      }
      for (const { by, bytes, name } of reads) {
        const principal = principals[1 + by] ?? '';
        known.keep({ ...REQUEST, principal, name: `${name}` }, value('y'.repeat(bytes)));
      }
      for (const [index, bytes] of own.entries()) {
        expect(textOf(known.find({ ...REQUEST, name: `${index}` }))).toHaveLength(bytes);
      }
    }),
  );
});
