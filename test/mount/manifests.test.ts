import { describe, expect, it } from 'vitest';
import { Manifests } from '../../src/mount/manifests.ts';
import { parseFirstDocument, parseYaml } from '../../src/spc/tree.ts';

const TEXTS = ['array:\n  - {objectName: a}\n', 'a: [', '', 'a: 1\n---\nb: 2\n', '- |\n  objectName: b\n'];

describe('texts of manifests', () => {
  it.each(TEXTS)('are read as without memory, the first time and later: %j', (text) => {
    const manifests = new Manifests();
    for (const firstLine of [1, 1, 7]) {
      expect(manifests.first(text, firstLine)).toEqual(parseFirstDocument(text, firstLine));
      expect(manifests.all(text, firstLine)).toEqual(parseYaml(text, firstLine));
    }
  });

  it('are read once', () => {
    const manifests = new Manifests();
    for (const text of TEXTS) {
      expect(manifests.first(text, 1)).toBe(manifests.first(text, 1));
      expect(manifests.all(text, 1)).toBe(manifests.all(text, 1));
    }
  });

  it('are forgotten where others need the room, those unused for longest first', () => {
    const manifests = new Manifests();
    const used = manifests.first('used: 1', 1);
    const idle = manifests.first('idle: 1', 1);
    for (let i = 0; i < 40; i++) {
      manifests.first(`n: ${i} ${'x'.repeat(60_000)}`, 1);
      expect(manifests.first('used: 1', 1)).toBe(used);
    }
    expect(manifests.first('idle: 1', 1)).not.toBe(idle);
  });

  it.each([
    ['a long text', `a: ${'x'.repeat(200_000)}`],
    ['a short text whose aliases unfold', `a: &a [${'1,'.repeat(100)}]\nb: [${'*a,'.repeat(30)}]\n`],
  ])('that take too much room are read each time: %s', (_, text) => {
    const manifests = new Manifests();
    const parsed = manifests.first(text, 1);
    expect(parsed.ok).toBe(true);
    expect(manifests.first(text, 1)).not.toBe(parsed);
  });
});
