import { describe, expect, it } from 'vitest';
import { CLASSIC, keyVaultWith, read } from '../support/spc.ts';

describe.each([
  ['classic', CLASSIC],
  ['keyVault', keyVaultWith({})],
])('maxAge in the %s form', (_, parameters) => {
  it.each<[string | undefined, number | undefined]>([
    [undefined, undefined],
    ['', undefined],
    ['0', 0],
    ['0s', 0],
    ['90s', 90_000],
    ['1h30m', 5_400_000],
  ])('%s', (maxAge, ms) => {
    const { volume, errors } = read({ ...parameters, maxAge });
    expect(errors).toEqual([]);
    expect(volume?.maxAgeMs).toBe(ms);
  });

  it.each(['5', '-1s', '5 minutes', '1d', 'never', '597h'])('refuses %s', (maxAge) => {
    const { volume, errors } = read({ ...parameters, maxAge });
    expect(volume).toBeUndefined();
    expect(errors).toEqual([
      `maxAge "${maxAge}" must be a duration such as 500ms, 30s, 2m or 1h, at most 596h; with 0s the vault is asked at each mount`,
    ]);
  });

  it('is named to whoever misspells it', () => {
    const { notes, errors } = read({ ...parameters, maxage: '0s' });
    expect([...notes, ...errors].join()).toContain('did you mean "maxAge"?');
  });
});
