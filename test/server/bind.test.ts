import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cannotListen } from '../../src/server/bind.ts';

const endpoint = { kind: 'unix', path: join(tmpdir(), 'akv-bind.sock') } as const;
const refused = (code: string, userId: number) =>
  cannotListen(endpoint, Object.assign(new Error(code), { code }), userId).message;

describe('a socket that may not be written', () => {
  it.each(['EACCES', 'EPERM'])('as root, whom permission bits do not hold back: %s', (code) => {
    expect(refused(code, 0)).toMatch(new RegExp(`${code}, .*SELinux or AppArmor.*privileged.*spc_t`));
  });

  it.each(['EACCES', 'EPERM'])('as another user: %s', (code) => {
    expect(refused(code, 1000)).toMatch(new RegExp(`${code}, this user may not write there; run as the owner`));
    expect(refused(code, 1000)).not.toContain('SELinux');
  });
});
