import { describe, expect, it } from 'vitest';
import { csiDriverProvider } from '../../src/wire/contract.ts';
import { MOUNT_METHOD } from '../../src/wire/names.ts';

describe('the name of the call that mounts a volume', () => {
  it('is the path of the call in the contract', () => {
    expect(csiDriverProvider.Mount.path).toBe(MOUNT_METHOD);
    expect(MOUNT_METHOD).toBe('/v1alpha1.CSIDriverProvider/Mount');
  });
});
