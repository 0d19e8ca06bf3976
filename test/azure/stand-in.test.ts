/**
 * Holds when a Mount is answered with last known values, and when it fails. Waits for a service that says nothing are in
 * stand-in-waits.test.ts.
 */
import { describe, expect, it } from 'vitest';
import type { Fault } from '../../src/emulator/host/faults.ts';
import type { KeptLog } from '../support/mount.ts';
import { answer, HOUR, MINUTE, type Outage, type Pod, startOutage } from '../support/outage.ts';
import { countTurnsAsTime } from '../support/turns.ts';

countTurnsAsTime();

describe.concurrent('a vault that is away', () => {
  it.for<[string, Fault['action'], string]>([
    ['cuts the connection', { kind: 'drop' }, 'unreachable'],
    ['answers 503', answer(503), 'server_error'],
    ['answers 500', answer(500), 'server_error'],
    ['asks to wait for longer than a Mount does', answer(429, { 'retry-after': '120' }), 'throttled'],
    ['is replaced by the page of a proxy', { ...answer(200), body: '<html>' }, 'unreachable'],
    ['is replaced by another server', { ...answer(200), body: { hello: 'world' } }, 'unreachable'],
    ['answers with a part of its JSON', { kind: 'edit', remove: ['value'] }, 'unreachable'],
    ['is replaced by an empty answer', answer(204), 'unreachable'],
    ['redirects to the sign-in page of a network', answer(302, { location: '/sign-in' }), 'unreachable'],
  ])('and %s: the last known value is served, with its version', async ([, action, cause], test) => {
    const { clock, causes, log, mounted, away } = await startOutage(test);
    const before = await mounted();
    away(action);
    clock.time += 5 * MINUTE;
    expect(await mounted()).toEqual(before);
    expect(causes).toEqual([cause]);
    const lines = log.lines.filter(({ message }) => message === 'Mounted with last known values');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      level: 'warn',
      fields: {
        pod: 'web-0',
        namespace: 'prod',
        objects: 's1',
        ageSeconds: 300,
        leftSeconds: 3300,
        error: expect.stringContaining('"s1"'),
      },
    });
  });

  it('has a value for a pod that is new, of the same identity, and for no other', async (test) => {
    const { mounted, refused, away } = await startOutage(test);
    await mounted();
    away(answer(503));
    expect((await mounted({ names: ['s1'] })).values).toEqual(['value-1']);
    const code = { code: 'ERR_VAULT' };
    expect(await refused({ client: '55555555-5555-5555-5555-555555555555', secret: 'stranger-secret' })).toMatchObject(
      code,
    );
    expect(await refused({ names: ['s2'] })).toMatchObject(code);
    expect(await refused({ names: ['s1', 's2'] })).toMatchObject(code);
    expect(await refused({ secret: 'wrong' })).toMatchObject({ code: 'ERR_AUTHENTICATION' });
  });

  it('has none where nothing was kept: with --max-stale=0, and when the value is too old', async (test) => {
    const { clock, ages, mounted, refused, away } = await startOutage(test);
    await mounted();
    away(answer(503));
    clock.time += HOUR - 1;
    expect((await mounted()).values).toEqual(['value-1']);
    clock.time += 1;
    expect(await refused()).toMatchObject({ code: 'ERR_VAULT' });
    expect(ages).toEqual([0, HOUR - 1, 0]);
    const off = await startOutage(test, { maxStaleMs: 0 });
    await off.mounted();
    off.away(answer(503));
    expect(await off.refused()).toMatchObject({
      code: 'ERR_VAULT',
      message: expect.not.stringContaining('last known value'),
    });
  });

  it('and whose value is too old: the error says so, with the same words at each attempt', async (test) => {
    const { clock, mounted, refused, away } = await startOutage(test);
    const readAt = new Date(clock.time).toISOString().slice(0, 16);
    await mounted();
    away(answer(503));
    clock.time += HOUR;
    const told = [await refused()];
    clock.time += 2 * HOUR;
    told.push(await refused());
    const why = `the last known value was read at ${readAt}Z, which is longer ago than --max-stale (1h) allows`;
    expect(told[0]).toMatchObject({ code: 'ERR_VAULT', message: expect.stringContaining(why) });
    expect(told[1]).toEqual(told[0]);
    expect(await refused({ names: ['s2'] })).toMatchObject({
      message: expect.stringContaining('this node has no last known value of it for this identity'),
    });
  });

  it('for one object of a Mount gives its last known value, unless another object has changed since', async (test) => {
    const { lab, clock, mounted, refused, away } = await startOutage(test);
    const pod = { names: ['s1', 's2'] };
    const before = await mounted(pod);
    clock.time += 5 * MINUTE;
    away(answer(503), { object: 's2' });
    expect(await mounted(pod)).toEqual(before);
    lab.emulator.setSecret('lab-vault', 's1', 'changed');
    clock.time += 5 * MINUTE;
    expect(await refused(pod)).toMatchObject({
      code: 'ERR_VAULT',
      message: expect.stringMatching(/s2.*503.*another object of the volume has changed/),
    });
    expect((await mounted({ names: ['s1'] })).values).toEqual(['changed']);
    expect((await mounted({ names: ['s2'] })).values).toEqual(['value-2']);
    lab.emulator.faults.clear();
    clock.time += 2 * MINUTE;
    expect((await mounted(pod)).values).toEqual(['changed', 'value-2']);
  });

  it('is told of in one line when it answers again, with the time and the Mounts, as the metric counts them', async (test) => {
    const { lab, clock, causes, log, mounted, away } = await startOutage(test);
    await mounted({ names: ['s1', 's2'] });
    away(answer(503));
    await mounted({ names: ['s1', 's2'] });
    clock.time += 4_000;
    await mounted({ names: ['s1'] });
    lab.emulator.faults.clear();
    clock.time += 2 * MINUTE;
    await mounted({ names: ['s1', 's2'] });
    const told = log.lines.filter(({ message }) => message === 'A host answers again');
    expect(told.map(({ level, fields }) => ({ level, ...fields }))).toEqual([
      { level: 'info', host: expect.stringMatching(/^lab-vault\./), awaySeconds: 124, lastKnownMounts: causes.length },
    ]);
    expect(causes).toHaveLength(2);
  });

  it('has the versions of a history too', async (test) => {
    const { mounted, away } = await startOutage(test);
    const before = await mounted({ names: ['many'], history: 3 });
    expect(before.values).toHaveLength(3);
    away({ kind: 'drop' });
    expect(await mounted({ names: ['many'], history: 3 })).toEqual(before);
  });
});

describe.concurrent('the error that a last known value replaces', () => {
  const told = ({ lines }: KeptLog) =>
    lines.filter(({ level }) => level === 'warn').map(({ fields }) => `${fields.objects}: ${fields.error}`);

  it('names the object of its own Mount, where another principal has found the vault away', async (test) => {
    const { log, mounted, away, podToken } = await startOutage(test);
    const pod = { names: ['s2'], token: podToken() };
    await mounted();
    await mounted(pod);
    away(answer(503));
    await mounted();
    await mounted(pod);
    expect(told(log)).toEqual([
      expect.stringMatching(/^s1: Cannot read secret "s1" .* 503 .* service principal/),
      expect.stringMatching(
        /^s2: Cannot read secret "s2" from vault "lab-vault": the vault at \S+ answered 503 to an earlier/,
      ),
    ]);
    expect(told(log)[1]).not.toMatch(/s1|2222/);
  });

  it('names the identity of its own Mount, where another one has found the login service away', async (test) => {
    const { clock, log, mounted, entra, podToken } = await startOutage(test, { maxStaleMs: 3 * HOUR });
    const pod = { names: ['s2'], token: podToken() };
    await mounted();
    await mounted(pod);
    clock.time += 2 * HOUR;
    entra(answer(503));
    await mounted();
    await mounted(pod);
    expect(told(log)).toEqual([
      expect.stringMatching(/^s1: Cannot log in as service principal 2222/),
      expect.stringMatching(
        /^s2: Cannot log in as workload identity 3333.*: Entra ID at \S+ answered 503 to an earlier/,
      ),
    ]);
    expect(told(log)[1]).not.toMatch(/2222/);
  });
});

describe.concurrent('a refusal', () => {
  const disabled = { error: { code: 'Forbidden', message: 'no', innererror: { code: 'SecretDisabled' } } };

  it.for<[string, Fault['action'], string]>([
    ['403', answer(403), 'ERR_FORBIDDEN'],
    ['404', answer(404), 'ERR_NOT_FOUND'],
    ['403 of a disabled object', { ...answer(403), body: disabled }, 'ERR_DISABLED'],
    ['401', answer(401), 'ERR_AUTHENTICATION'],
  ])('of %s is told, and the value is not served any more', async ([, action, code], test) => {
    const { lab, mounted, refused, away } = await startOutage(test);
    await mounted({ names: ['s1', 's2'] });
    away(action, { object: 's1' });
    expect(await refused()).toMatchObject({ code });
    lab.emulator.faults.clear();
    away(answer(503));
    expect(await refused()).toMatchObject({ code: 'ERR_VAULT' });
    expect((await mounted({ names: ['s2'] })).values).toEqual(['value-2']);
  });
});

describe.concurrent('another answer', () => {
  it.for<[string, Fault['action'], string]>([
    ['400', answer(400), 'ERR_BAD_PARAMETERS'],
    ['409', answer(409), 'ERR_VAULT'],
    ['401 with the page of a proxy', { ...answer(401), body: '<html>' }, 'ERR_AUTHENTICATION'],
    ['403 with the page of a proxy', { ...answer(403), body: '<html>' }, 'ERR_FORBIDDEN'],
    ['404 with the page of a proxy', { ...answer(404), body: '<html>' }, 'ERR_NOT_FOUND'],
  ])('(%s) is told too; the value stays for an outage', async ([, action, code], test) => {
    const { lab, mounted, refused, away } = await startOutage(test);
    const before = await mounted();
    away(action);
    expect(await refused()).toMatchObject({ code });
    lab.emulator.faults.clear();
    away(answer(429, { 'retry-after': '120' }));
    expect(await mounted()).toEqual(before);
  });
});

describe.concurrent('where the login service is away', () => {
  it.for<[string, Fault['action']]>([
    ['answers 503', answer(503)],
    ['cuts the connection', { kind: 'drop' }],
    ['is replaced by the page of a proxy', { ...answer(200), body: '<html>' }],
    ['redirects to the sign-in page of a network', answer(302, { location: '/sign-in' })],
  ])(
    'and %s, an identity that it accepted gets last known values, and no request is sent with an old token',
    async ([, action], test) => {
      const { lab, clock, causes, mounted, entra, podToken } = await startOutage(test, { maxStaleMs: 3 * HOUR });
      await mounted();
      const token = podToken();
      await mounted({ token });
      clock.time += 2 * HOUR;
      lab.emulator.requests.clear();
      entra(action);
      expect((await mounted()).values).toEqual(['value-1']);
      expect((await mounted({ token })).values).toEqual(['value-1']);
      expect(lab.count('vault')).toBe(0);
      expect(causes).toHaveLength(2);
    },
  );

  it.for<[string, (outage: Outage) => Pod]>([
    ['a service principal', () => ({})],
    ['a service-account token', ({ podToken }) => ({ token: podToken() })],
  ])('%s counts for as long as the value, however long ago it logged in', async ([, podOf], test) => {
    const outage = await startOutage(test);
    const { lab, clock, mounted, refused, away, entra } = outage;
    const pod = podOf(outage);
    await mounted(pod);
    clock.time += 40 * MINUTE;
    await mounted(pod);
    expect(lab.tokens()).toBe(1);
    entra({ kind: 'drop' });
    away({ kind: 'drop' }, { unauthenticated: true });
    clock.time += HOUR - 1;
    expect((await mounted(pod)).values).toEqual(['value-1']);
    clock.time += 1;
    expect(await refused(pod)).toMatchObject({
      code: 'ERR_UNREACHABLE',
      message: expect.stringMatching(/this credential was last accepted at \S+Z, longer ago than --max-stale \(1h\)/),
    });
  });

  it('an identity that it never accepted here gets nothing, nor does one that it refused', async (test) => {
    const { mounted, refused, entra, podToken } = await startOutage(test, { maxStaleMs: 3 * HOUR });
    await mounted({ token: podToken() });
    entra(answer(503));
    const unknown = { code: 'ERR_VAULT', message: expect.stringContaining('has not seen this credential accepted') };
    expect(await refused({ token: podToken(7200) })).toMatchObject(unknown);
    expect(await refused({ secret: 'wrong' })).toMatchObject(unknown);
  });

  it('a token that has ended opens nothing', async (test) => {
    const { clock, mounted, refused, entra, podToken } = await startOutage(test, { maxStaleMs: 3 * HOUR });
    const token = podToken(3600);
    await mounted({ token });
    clock.time += HOUR + 1;
    entra(answer(503));
    expect(await refused({ token })).toMatchObject({ code: 'ERR_NO_CREDENTIALS' });
  });
});
