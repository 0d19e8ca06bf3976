import { describe, expect, it } from 'vitest';
import { LogOnce } from '../../src/mount/log-once.ts';
import { VersionLog } from '../../src/mount/version-log.ts';
import { keptLog } from '../support/mount.ts';

const v = (id: string, version: string) => ({ id, version });
const file = { path: 'a', mode: 0o644, contents: Buffer.alloc(0) };
/** Returns an answer with a file and these versions. */
const gave = (...objectVersions: ReturnType<typeof v>[]) => ({ files: [file], objectVersions });

describe('the journal of versions', () => {
  it('says nothing at the first Mount of a volume, nor where nothing changed', () => {
    const { log, lines } = keptLog();
    const journal = new VersionLog();
    journal.record('volume', gave(v('secret/a', '1')), log);
    journal.record('volume', gave(v('secret/a', '1')), log);
    expect(lines).toEqual([]);
  });

  it('says once which object went from which version to which', () => {
    const { log, lines } = keptLog();
    const journal = new VersionLog();
    const one = [v('secret/a', '1'), v('secret/b', '1')];
    const two = [v('secret/a', '2'), v('secret/a', '2'), v('secret/b', '1'), v('secret/new', '1')];
    for (const versions of [one, two, two]) journal.record('volume', gave(...versions), log);
    expect(lines).toMatchObject([
      { level: 'info', message: 'Object version changed', fields: { object: 'secret/a', from: '1', to: '2' } },
      { level: 'info', message: 'Object added to the volume', fields: { object: 'secret/new', to: '1' } },
    ]);
  });

  it('says once which object has gone', () => {
    const { log, lines } = keptLog();
    const journal = new VersionLog();
    const [both, one] = [[v('secret/a', '1'), v('secret/b', '1')], [v('secret/a', '1')]];
    for (const versions of [both, one, one]) journal.record('volume', gave(...versions), log);
    expect(lines).toMatchObject([
      { level: 'info', message: 'Object removed from the volume', fields: { object: 'secret/b', from: '1' } },
    ]);
  });

  it('keeps volumes apart', () => {
    const { log, lines } = keptLog();
    const journal = new VersionLog();
    journal.record('one', gave(v('secret/a', '1')), log);
    journal.record('other', gave(v('secret/a', '2')), log);
    expect(lines).toEqual([]);
  });

  it('forgets the volume not mounted for longest, when there are more than a node has', () => {
    const { log, lines } = keptLog();
    const journal = new VersionLog();
    journal.record('first', gave(v('secret/a', '1')), log);
    journal.record('second', gave(v('secret/a', '1')), log);
    for (let i = 0; i < 998; i++) journal.record(`volume ${i}`, gave(v('secret/a', '1')), log);
    journal.record('first', gave(v('secret/a', '1')), log);
    journal.record('one more', gave(v('secret/a', '1')), log);
    journal.record('second', gave(v('secret/a', '2')), log);
    expect(lines).toEqual([]);
    journal.record('first', gave(v('secret/a', '2')), log);
    expect(lines).toHaveLength(1);
  });
});

describe('the files of the last answer', () => {
  it('are known for the volume alone, and until the next answer', () => {
    const { log } = keptLog();
    const journal = new VersionLog();
    expect(journal.hadFiles('volume')).toBe(false);
    journal.record('volume', gave(v('secret/a', '1')), log);
    expect([journal.hadFiles('volume'), journal.hadFiles('other')]).toEqual([true, false]);
    journal.record('volume', { files: [], objectVersions: [v('secret/a', 'missing')] }, log);
    expect(journal.hadFiles('volume')).toBe(false);
  });
});

describe('what is noted', () => {
  it('is said once a key', () => {
    const noted = new LogOnce();
    const said: string[] = [];
    for (const key of ['a', 'b', 'a', 'a']) noted.note(key, () => said.push(key));
    expect(said).toEqual(['a', 'b']);
  });

  it('may be said again when thousands were said since', () => {
    const noted = new LogOnce();
    let said = 0;
    const note = () => noted.note('old', () => said++);
    note();
    for (let i = 0; i < 2000; i++) noted.note(`other ${i}`, () => {});
    note();
    expect(said).toBe(2);
  });
});
