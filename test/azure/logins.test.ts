import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { type Lab, reader, SUBJECT, secret, startLab, stranger, textOf, workload } from '../support/azure.ts';

let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ cacheTtlMs: 60_000, pinnedCacheTtlMs: 60_000 });
});
afterEach(() => lab.close());

/** Returns a token of the pod's service account, as the kubelet makes it. */
function podToken(expiresInSeconds = 3600): string {
  return lab.emulator.issueServiceAccountToken({
    subject: SUBJECT,
    audience: WORKLOAD_IDENTITY_AUDIENCE,
    expiresInSeconds,
  });
}

/** Returns a JWT with the subject of another token and an invalid signature. */
function forgedToken(like: string): string {
  const [header, claims] = like.split('.');
  return `${header}.${claims}.${Buffer.from('forged').toString('base64url')}`;
}

describe('logins', () => {
  it('are one for all Mounts of a principal, however many start at once', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => lab.open(reader()).get(secret(`s${i}`), lab.context())));
    expect(lab.tokens()).toBe(1);
  });

  it('ask for no challenge first: no request goes to the vault without a token', async () => {
    await Promise.all(Array.from({ length: 10 }, (_, i) => lab.open(reader()).get(secret(`s${i}`), lab.context())));
    const requests = lab.emulator.requests.filter(({ kind }) => kind === 'vault');
    expect(requests).toHaveLength(10);
    expect(requests.every(({ authenticated }) => authenticated)).toBe(true);
  });

  it('are another principal as soon as the client secret is another', async () => {
    await lab.open(reader()).get(secret('s0'), lab.context());
    await expect(lab.open(reader('wrong')).get(secret('s0'), lab.context())).rejects.toMatchObject({
      code: 'ERR_AUTHENTICATION',
      message: expect.stringContaining('AADSTS7000215'),
    });
  });

  it('are shared by the tokens of one service account, each exchanged once', async () => {
    const [first, second] = [podToken(3600), podToken(3500)];
    for (const token of [first, first, second, first, second]) {
      expect(textOf(await lab.open(workload(token)).get(secret('s1'), lab.context()))).toBe('value-1');
    }
    expect(lab.tokens()).toBe(2);
  });

  it('open nothing to a token that only claims the subject', async () => {
    const genuine = podToken();
    await lab.open(workload(genuine)).get(secret('s1'), lab.context());
    lab.emulator.requests.clear();
    const forged = workload(forgedToken(genuine));
    await expect(lab.open(forged).get(secret('s1'), lab.context())).rejects.toMatchObject({
      code: 'ERR_AUTHENTICATION',
    });
    expect(lab.count('vault')).toBe(0);
  });

  it('let a forged token join no read that is under way', async () => {
    const genuine = podToken();
    await lab.open(workload(genuine)).get(secret('s2'), lab.context());
    const read = lab.emulator.faults.hold({ on: 'vault', object: 's3' });
    const slow = lab.open(workload(genuine)).get(secret('s3'), lab.context());
    await read.reached;
    const forged = lab.open(workload(forgedToken(genuine))).get(secret('s3'), lab.context());
    await expect(forged).rejects.toMatchObject({ code: 'ERR_AUTHENTICATION' });
    read.release();
    expect(textOf(await slow)).toBe('value-3');
  });

  it('stop waiting for Entra when the caller goes', async () => {
    const login = lab.emulator.faults.hold({ on: 'entra' });
    const controller = new AbortController();
    const read = lab.open(reader()).get(secret('s0'), lab.context({ signal: controller.signal }));
    await login.reached;
    controller.abort(new Error('gone'));
    await expect(read).rejects.toThrow('gone');
  });

  it('take no token that is no text, and do not send it to the vault', async () => {
    for (const set of [{ access_token: 5 }, { access_token: { a: 'b' } }]) {
      lab.emulator.faults.clear();
      lab.emulator.faults.add({ on: 'entra', method: 'POST', action: { kind: 'edit', set } });
      await expect(lab.open(reader()).get(secret('s0'), lab.context())).rejects.toMatchObject({
        code: 'ERR_VAULT',
        message: expect.stringContaining('answered 200 without a token'),
      });
    }
    expect(lab.count('vault')).toBe(0);
  });

  it('never go to the tenant that a vault names', async () => {
    await expect(lab.open(reader(), 'foreign-vault').get(secret('s0'), lab.context())).rejects.toMatchObject({
      code: 'ERR_AUTHENTICATION',
      message: expect.stringMatching(/trusts tenant 99999999-.* names tenant 11111111-/),
    });
    const asked = lab.emulator.requests.filter(({ kind }) => kind === 'entra').map(({ path }) => path);
    expect(asked.filter((path) => path.includes('99999999'))).toEqual([]);
  });

  it('carry the user agent, as every request does', async () => {
    const agents: (string | undefined)[] = [];
    await lab.open(reader()).get(secret('s0'), lab.context());
    for (const request of lab.emulator.requests) agents.push(request.userAgent);
    expect(agents.length).toBeGreaterThan(1);
    expect(agents.every((agent) => agent?.startsWith('csi-secrets-store/0.0.0 (linux/amd64)'))).toBe(true);
  });
});

describe('what one identity reads', () => {
  it('is never served to another', async () => {
    await lab.open(reader()).get(secret('s0'), lab.context());
    await expect(lab.open(stranger()).get(secret('s0'), lab.context())).rejects.toMatchObject({
      code: 'ERR_FORBIDDEN',
      details: { httpStatus: 403, remoteCode: 'ForbiddenByRbac' },
    });
  });

  it('is read once for all of it who ask at the same time, and from memory after that', async () => {
    const reads = Array.from({ length: 30 }, () => lab.open(reader()).get(secret('s5'), lab.context()));
    await Promise.all(reads);
    await lab.open(reader()).get(secret('s5'), lab.context());
    expect(lab.count('vault')).toBe(1);
  });

  it('is read anew when a refusal came before: refusals are not kept', async () => {
    lab.emulator.revoke('lab-vault', 'reader');
    await expect(lab.open(reader()).get(secret('s0'), lab.context())).rejects.toMatchObject({ code: 'ERR_FORBIDDEN' });
    lab.emulator.grant('lab-vault', { identity: 'reader', secrets: ['get'] });
    expect(textOf(await lab.open(reader()).get(secret('s0'), lab.context()))).toBe('value-0');
  });

  it('is listed over all pages, each with the login', async () => {
    const listed = await lab.open(reader()).listVersions({ type: 'secret', name: 'many' }, lab.context());
    expect(new Set(listed.map(({ version }) => version)).size).toBe(60);
    expect(lab.count('vault')).toBe(3);
  });
});
