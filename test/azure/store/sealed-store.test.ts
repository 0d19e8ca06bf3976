/** Holds that a store gives back what it was told, however often and under whichever key it is opened. */
import { lstatSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../support/clocks.ts';
import { DAY_MS, filesOf, keyOf, LIMITS, newDirectory, newKey, openStore, put, reopened } from '../../support/store.ts';

const key = await newKey();

/** A directory with entries, as a process left it. */
async function filled(entries: Readonly<Record<string, string>>, keys = [key] as const): Promise<string> {
  const directory = newDirectory();
  const { store } = await openStore(directory, { keys });
  for (const [name, text] of Object.entries(entries)) put(store, name, text);
  await store.close();
  return directory;
}

describe('a store', () => {
  it('is empty at first, and gives back after a restart what it was told', async () => {
    const directory = newDirectory();
    const { store, entries, failures } = await openStore(directory, { keys: [key] });
    expect(entries).toEqual({});
    put(store, 'a', 'one');
    put(store, 'b', 'two');
    put(store, 'a', 'three');
    expect(store.size).toBe(2);
    await store.close();
    const again = await reopened(directory, { keys: [key] });
    expect(again.entries).toEqual({ a: 'three', b: 'two' });
    expect([...failures, ...again.failures]).toEqual([]);
    expect(again.counts.at(-1)).toBe(2);
    expect(again.lines).toEqual([expect.stringMatching(/^info Offline cache opened directory=\S+ entries=2$/)]);
  });

  it('keeps the key, any bytes, and an empty value', async () => {
    const directory = newDirectory();
    const { store } = await openStore(directory, { keys: [key] });
    const strange = ['object', 'ü "\\\n', '', 'x'.repeat(500)];
    store.put(strange, Buffer.from([0, 255, 10]));
    put(store, 'empty', '');
    await store.close();
    const { entries } = await reopened(directory, { keys: [key] });
    expect(entries).toEqual({ [strange[3] ?? '']: Buffer.from([0, 255, 10]).toString('utf8'), empty: '' });
  });

  it('overwrites the buffers that it was given, once it needs them no more', async () => {
    const { store } = await openStore(newDirectory(), { keys: [key] });
    const given = ['one', 'one', 'two', 'x'.repeat(LIMITS.entryBytes + 1)].map((text) => Buffer.from(text));
    for (const buffer of given) {
      store.put(keyOf('a'), buffer);
      await store.flush();
    }
    store.put(keyOf('b'), Buffer.from('dropped before it is written'));
    const late = Buffer.from('after the end');
    await store.close();
    store.put(keyOf('c'), late);
    for (const buffer of [...given, late]) expect(buffer.every((byte) => byte === 0)).toBe(true);
  });

  it('forgets what it is told to, at any moment', async () => {
    const directory = await filled({ a: 'one', b: 'two', c: 'three' });
    const { store } = await openStore(directory, { keys: [key] });
    store.erase(keyOf('a'));
    put(store, 'b', 'new');
    store.erase(keyOf('b'));
    put(store, 'd', 'four');
    store.erase(keyOf('d'));
    put(store, 'd', 'five');
    store.erase(keyOf('never there'));
    await store.close();
    expect((await reopened(directory, { keys: [key] })).entries).toEqual({ c: 'three', d: 'five' });
    expect(filesOf(directory, 'entry')).toHaveLength(2);
  });

  it('removes an entry that nobody wants any more', async () => {
    const directory = await filled({ a: 'one', b: 'two' });
    await reopened(directory, { keys: [key] }, (name) => name !== 'a');
    expect((await reopened(directory, { keys: [key] })).entries).toEqual({ b: 'two' });
  });

  it('has a directory of mode 0700 and files of mode 0600, whose names tell nothing', async () => {
    const directory = await filled({ 'db-password': 'value' });
    const files = [...filesOf(directory, 'entry'), ...filesOf(directory, 'index')];
    expect(files).toHaveLength(2);
    for (const file of files) {
      expect(lstatSync(file).mode & 0o7777).toBe(0o600);
      expect(file).toMatch(/\/[0-9a-f]{64}\.(entry|index)$/);
      expect(readFileSync(file).includes('value')).toBe(false);
    }
    expect(lstatSync(dirname(files[0] ?? '')).mode & 0o7777).toBe(0o700);
    expect(filesOf(await filled({ 'db-password': 'value' }, [await newKey()]), 'entry')[0]?.slice(-70)).not.toBe(
      files[0]?.slice(-70),
    );
  });
});

describe('a value that did not change', () => {
  it('is not written again, and its time is written at an interval', async () => {
    const clock = manualClock();
    const directory = newDirectory();
    const { store } = await openStore(directory, { keys: [key], clock });
    put(store, 'a', 'one');
    await store.flush();
    const writes = () =>
      [...filesOf(directory, 'entry'), ...filesOf(directory, 'index')].map((file) => {
        const { ino, ctimeNs } = statSync(file, { bigint: true });
        return `${ino} ${ctimeNs}`;
      });
    const [entry, index] = writes();
    const minute = async () => {
      clock.time += 60_000;
      put(store, 'a', 'one');
      store.sweep();
      await store.flush();
    };
    clock.time += 60_000;
    put(store, 'a', 'one');
    store.sweep();
    // `flush` would write the time.
    expect(writes()).toEqual([entry, index]);
    for (let passed = 0; passed < 6; passed++) await minute();
    expect(writes()[0]).toBe(entry);
    expect(writes()[1]).not.toBe(index);
    await store.close();
    clock.time += 1000;
    expect((await reopened(directory, { keys: [key], clock })).ages).toEqual({ a: 1000 });
  });

  it('writes the index once an interval, however often it is confirmed', async () => {
    const clock = manualClock();
    const directory = newDirectory();
    const { store } = await openStore(directory, { keys: [key], clock });
    put(store, 'a', 'one');
    await store.flush();
    const stamps = new Set<string>();
    const [index = ''] = filesOf(directory, 'index');
    for (let seconds = 0; seconds < 3600; seconds += 10) {
      clock.time += 10_000;
      put(store, 'a', 'one');
      store.sweep();
      // Whatever a sweep has started is over after some turns of the event loop; the count below is an upper limit.
      for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
      stamps.add(String(statSync(index, { bigint: true }).mtimeNs));
    }
    await store.close();
    expect(stamps.size).toBeLessThanOrEqual(13);
    expect((await reopened(directory, { keys: [key], clock })).ages).toEqual({ a: 0 });
  });
});

describe('the limits', () => {
  it('make room for new entries by those that were not confirmed for longest', async () => {
    const clock = manualClock();
    const directory = newDirectory();
    const limits = { ...LIMITS, entries: 3 };
    const { store } = await openStore(directory, { keys: [key], clock, limits });
    for (const name of ['a', 'b', 'c', 'a', 'd', 'e']) {
      put(store, name, 'value');
      clock.time += 1000;
    }
    await store.close();
    expect(Object.keys((await reopened(directory, { keys: [key], clock, limits })).entries).toSorted()).toEqual([
      'a',
      'd',
      'e',
    ]);
  });

  it('take room from the owner that holds most', async () => {
    const clock = manualClock();
    const directory = newDirectory();
    const limits = { ...LIMITS, entries: 10 };
    const { store } = await openStore(directory, { keys: [key], clock, limits });
    const putFor = (owner: string, name: string) => store.put(['object', owner, name], Buffer.from('value'));
    for (const name of ['a', 'b', 'c']) putFor('modest', name);
    for (let count = 0; count < 30; count++) {
      clock.time += 1000;
      putFor('greedy', `g${count}`);
    }
    await store.close();
    const names = Object.keys((await reopened(directory, { keys: [key], clock, limits })).entries).toSorted();
    expect(names).toEqual(['a', 'b', 'c', ...Array.from({ length: 7 }, (_, at) => `g${23 + at}`)]);
  });

  it('bound the bytes on the disk, and leave out what is larger than one entry may be', async () => {
    const directory = newDirectory();
    const limits = { entries: 100, bytes: 100_000, entryBytes: 40_000 };
    const { store } = await openStore(directory, { keys: [key], limits });
    for (const name of ['a', 'b', 'c']) put(store, name, name.repeat(40_000));
    put(store, 'd', 'small');
    put(store, 'd', 'd'.repeat(40_001));
    await store.close();
    const { entries } = await reopened(directory, { keys: [key], limits });
    expect(Object.keys(entries).toSorted()).toEqual(['b', 'c']);
    expect(filesOf(directory, 'entry').reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThanOrEqual(
      100_000,
    );
  });

  it('hold while it is read', async () => {
    const directory = await filled(Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`n${at}`, 'value'])));
    const limits = { ...LIMITS, entries: 5 };
    const { entries, lines } = await reopened(directory, { keys: [key], limits });
    expect(Object.keys(entries)).toHaveLength(5);
    expect(lines.join('\n')).toMatch(/files=15 error=the store reads at most 5 entries/);
  });
});

describe('keys', () => {
  it('are rotated: the older one opens, the first one seals, and the older one may go', async () => {
    const directory = await filled({ a: 'one', b: 'two' });
    const fresh = await newKey();
    const rotated = await reopened(directory, { keys: [fresh, key] });
    expect([rotated.entries, rotated.failures]).toEqual([{ a: 'one', b: 'two' }, []]);
    expect(filesOf(directory, 'entry')).toHaveLength(2);
    expect(filesOf(directory, 'index')).toHaveLength(1);
    const later = await reopened(directory, { keys: [fresh] });
    expect([later.entries, later.failures]).toEqual([{ a: 'one', b: 'two' }, []]);
  });

  it('do not change since when a value is held', async () => {
    const clock = manualClock();
    const directory = newDirectory();
    const { store } = await openStore(directory, { keys: [key], clock });
    store.put(keyOf('a'), Buffer.from('one'), 5000);
    await store.flush();
    clock.time += 1000;
    store.put(keyOf('a'), Buffer.from('one'), 6000);
    await store.close();
    const fresh = await newKey();
    await reopened(directory, { keys: [fresh, key], clock });
    clock.time += 1000;
    const { ages, held } = await reopened(directory, { keys: [fresh], clock });
    expect([ages, held]).toEqual([{ a: 1000 }, { a: 7000 }]);
  });

  it('do not make a value younger when they are rotated', async () => {
    const clock = manualClock();
    const directory = newDirectory();
    const { store } = await openStore(directory, { keys: [key], clock });
    put(store, 'a', 'one');
    await store.close();
    const fresh = await newKey();
    clock.time += 5 * 3_600_000;
    await reopened(directory, { keys: [fresh, key], clock });
    clock.time += 5 * 3_600_000;
    expect((await reopened(directory, { keys: [fresh], clock })).ages).toEqual({ a: 10 * 3_600_000 });
  });

  it('may be mistaken: the right one opens everything again', async () => {
    const directory = await filled({ a: 'one', b: 'two', c: 'three', d: 'four', e: 'five' });
    const mistaken = await openStore(directory, { keys: [await newKey()] });
    expect(mistaken.entries).toEqual({});
    put(mistaken.store, 'a', 'newer');
    await mistaken.store.close();
    const refused = mistaken.lines.filter((line) => line.startsWith('warn'));
    expect(refused).toHaveLength(4);
    expect(refused[0]).toMatch(
      /^warn File of the offline cache refused file=\S+\/[0-9a-f]{64}\.\w+ error=it was sealed by a key that is not in the key file; add the key that sealed it to the key file as a further line, or delete the file$/,
    );
    expect(refused[3]).toMatch(/^warn Files of the offline cache refused \S+ files=6 error=it was sealed by a key/);
    expect(mistaken.failures).toHaveLength(6);
    const right = await reopened(directory, { keys: [key] });
    expect(right.entries).toEqual({ a: 'one', b: 'two', c: 'three', d: 'four', e: 'five' });
  });
});

describe('what was not confirmed for too long', () => {
  it('is handed to nobody, and its file is removed', async () => {
    const clock = manualClock();
    const directory = newDirectory();
    const { store } = await openStore(directory, { keys: [key], clock });
    put(store, 'old', 'one');
    clock.time += DAY_MS / 2;
    put(store, 'young', 'two');
    await store.close();
    clock.time += DAY_MS / 2 + 1;
    const { entries, ages } = await reopened(directory, { keys: [key], clock });
    expect(entries).toEqual({ young: 'two' });
    expect(ages).toEqual({ young: DAY_MS / 2 + 1 });
    expect(filesOf(directory, 'entry')).toHaveLength(1);
  });

  it('is removed while the provider runs', async () => {
    const clock = manualClock();
    const directory = newDirectory();
    const { store } = await openStore(directory, { keys: [key], clock });
    put(store, 'a', 'one');
    await store.flush();
    clock.time += DAY_MS;
    store.sweep();
    expect(store.size).toBe(1);
    clock.time += 1;
    store.sweep();
    await store.flush();
    expect([store.size, filesOf(directory, 'entry')]).toEqual([0, []]);
    await store.close();
  });

  it('is removed after that time even if it cannot be read', async () => {
    const directory = await filled({ a: 'one' });
    const clock = manualClock(Date.now());
    await reopened(directory, { keys: [await newKey()], clock });
    expect(filesOf(directory, 'entry')).toHaveLength(1);
    clock.time += DAY_MS + 60_000;
    await reopened(directory, { keys: [await newKey()], clock });
    expect(filesOf(directory, 'entry')).toEqual([]);
  });
});

describe('the clock of the node', () => {
  /** Ages after a restart during which both clocks moved, and what was said. */
  async function restart(whileRunning: (clock: ReturnType<typeof manualClock>) => void, nextStart: number) {
    const clock = manualClock(1_700_000_000_000);
    const directory = newDirectory();
    const { store } = await openStore(directory, { keys: [key], clock });
    put(store, 'a', 'one');
    whileRunning(clock);
    put(store, 'b', 'two');
    await store.close();
    return reopened(directory, { keys: [key], clock: manualClock(1_700_000_000_000 + nextStart) });
  }
  const HOUR = 3_600_000;

  it('counts the time for which the provider did not run', async () => {
    const { ages } = await restart((clock) => {
      clock.time += HOUR;
    }, 3 * HOUR);
    expect(ages).toEqual({ a: 3 * HOUR, b: 2 * HOUR });
  });

  it('set back while it does not run: that time does not count, and the log says so', async () => {
    const { ages, lines } = await restart((clock) => {
      clock.time += HOUR;
    }, -1000 * HOUR);
    expect(ages).toEqual({ a: HOUR, b: 0 });
    expect(lines.at(-1)).toMatch(/^warn The clock of the node is behind the offline cache .*it is 3603600 s behind/);
  });

  it('set back while it runs makes nothing younger', async () => {
    const { ages } = await restart((clock) => {
      clock.time += 2 * HOUR;
      clock.offBy -= 100 * HOUR;
    }, 2 * HOUR);
    expect(ages).toEqual({ a: 2 * HOUR, b: 0 });
  });

  it('set ahead makes everything older, and setting it back makes nothing younger', async () => {
    const { ages } = await restart((clock) => {
      clock.offBy += 5 * HOUR;
    }, 5 * HOUR);
    expect(ages).toEqual({ a: 5 * HOUR, b: 0 });
    const corrected = await restart((clock) => {
      clock.offBy += 5 * HOUR;
    }, 0);
    expect(corrected.ages).toEqual({ a: 5 * HOUR, b: 0 });
    const far = await restart(() => {}, 2 * DAY_MS);
    expect(far.entries).toEqual({});
  });

  it('set back again and again prolongs nothing beyond the time for which the provider did not run', async () => {
    const clock = manualClock();
    const directory = newDirectory();
    const { store } = await openStore(directory, { keys: [key], clock });
    put(store, 'a', 'one');
    await store.close();
    for (let start = 0; start < 25; start++) {
      const running = manualClock(clock.time - start * DAY_MS);
      const again = await openStore(directory, { keys: [key], clock: running });
      running.time += HOUR;
      put(again.store, 'other', String(start));
      await again.store.close();
    }
    expect(Object.keys((await reopened(directory, { keys: [key], clock })).entries)).toEqual(['other']);
  });
});
