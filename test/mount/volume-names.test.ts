import { describe, expect, it } from 'vitest';
import { VolumeNames } from '../../src/mount/volume-names.ts';

describe('the name of a volume', () => {
  it.each([
    ['/var/lib/kubelet/pods/1-2/volumes/kubernetes.io~csi/secrets-store-inline/mount', 'secrets-store-inline'],
    ['C:\\var\\lib\\kubelet\\pods\\1\\volumes\\kubernetes.io~csi\\inline\\mount', 'inline'],
    ['/data/volumes/kubernetes.io~csi/a/pods/1/volumes/kubernetes.io~csi/b/mount', 'b'],
    ['/volumes/kubernetes.io~secret/a/mount', ''],
    ['/somewhere', ''],
    ['', ''],
  ])('without a class is what the kubelet calls it: %s', (path, name) => {
    const names = new VolumeNames();
    expect(names.nameOf(path, '')).toBe(name);
    expect(names.nameOf(path, 'web')).toBe('web');
    expect(names.nameOf(path, '')).toBe(path === '' ? '' : 'web');
  });

  it('is forgotten first where nobody asked for longest', () => {
    const names = new VolumeNames();
    names.nameOf('/first', 'web-1');
    names.nameOf('/second', 'web-2');
    names.nameOf('/first', '');
    for (let index = 0; index < 999; index++) names.nameOf(`/${index}`, 'other');
    expect([names.nameOf('/first', ''), names.nameOf('/second', '')]).toEqual(['web-1', '']);
  });
});
