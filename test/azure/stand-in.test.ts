import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Sweeper } from '../../src/base/sweeper.ts';
import { type MountOutcome, silentTelemetry } from '../../src/base/telemetry.ts';
import type { Fault } from '../../src/emulator/host/faults.ts';
import { createMount } from '../../src/mount/mount.ts';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { type Lab, type LabOptions, READER, SUBJECT, startLab, TENANT, WORKLOAD } from '../support/azure.ts';
import { clockOf } from '../support/clocks.ts';
import { keptLog } from '../support/mount.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let lab: Lab;
let time: number;
let causes: string[];
/** Ages of last known values, in milliseconds, one for each Mount. */
let ages: number[];
let log: ReturnType<typeof keptLog>;
const clock = clockOf(() => time);
let mount: ReturnType<typeof createMount>;

async function start(options: Partial<LabOptions> = {}): Promise<void> {
  time = Date.now();
  causes = [];
  ages = [];
  log = keptLog();
  const telemetry = {
    ...silentTelemetry,
    lastKnownMount: (cause: string) => void causes.push(cause),
    mountFinished: ({ lastKnownAgeMs }: MountOutcome) => void ages.push(lastKnownAgeMs),
  };
  lab = await startLab({ clock, telemetry, maxStaleMs: HOUR, log: log.log, ...options });
  mount = createMount({
    vaults: lab.azure.vaults,
    defaults: { cloudName: 'AzureStackCloud', orderChain: true, split: false },
    readCloudFile: async () => ({ name: 'cloud', text: lab.emulator.cloudFile }),
    certificatePolicy: 'warn',
    telemetry,
    lastKnownServed: (cause) => lab.azure.lastKnownServed(cause),
    clock,
    sweeper: new Sweeper(clock),
    log: log.log,
  });
}

beforeEach(() => start());
afterEach(async () => {
  vi.useRealTimers();
  await lab.close();
});

/** A pod, as the driver tells of it. */
interface Pod {
  readonly names?: readonly string[];
  readonly client?: string;
  readonly secret?: string;
  /** A service-account token: the pod has a workload identity then. */
  readonly token?: string;
  /** Number of versions of each object. */
  readonly history?: number;
  readonly timeoutMs?: number;
}

async function mounted(pod: Pod = {}) {
  const { names = ['s1'], client = READER, secret = 'reader-secret', token, history = 0, timeoutMs = 100_000 } = pod;
  const objects = names.map(
    (name) => `  - {objectName: ${name}, objectType: secret, objectVersionHistory: ${history}}\n`,
  );
  const tokens = { [WORKLOAD_IDENTITY_AUDIENCE]: { token, expirationTimestamp: '2100-01-01T00:00:00Z' } };
  const identity =
    token === undefined
      ? {}
      : { clientID: WORKLOAD, 'csi.storage.k8s.io/serviceAccount.tokens': JSON.stringify(tokens) };
  const attributes = {
    keyvaultName: 'lab-vault',
    tenantID: TENANT,
    cloudEnvFileName: 'cloud',
    objects: `array:\n${objects.join('')}`,
    'csi.storage.k8s.io/pod.name': 'web-0',
    'csi.storage.k8s.io/pod.namespace': 'prod',
    ...identity,
  };
  const secrets = token === undefined ? JSON.stringify({ clientid: client, clientsecret: secret }) : '{}';
  const input = { attributes: JSON.stringify(attributes), secrets, permission: '420' };
  const { files, objectVersions } = await mount(input, { timeoutMs, signal: new AbortController().signal });
  return { values: files.map(({ contents }) => contents.toString()), objectVersions };
}

const refused = (pod?: Pod) =>
  mounted(pod).then(
    () => 'served',
    (error: unknown) => error,
  );

const away = (action: Fault['action'], more: Partial<Fault> = {}) =>
  lab.emulator.faults.add({ on: 'vault', action, ...more });
const answer = (status: number, headers: Record<string, string> = {}) => ({ kind: 'answer', status, headers }) as const;

/** Stops the timers of the program; the wall clock and the network go on. */
function stopTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
}

async function pass(ms: number): Promise<void> {
  time += ms;
  await vi.advanceTimersByTimeAsync(ms);
}

/** Resolves when so many requests have reached the vault. */
async function arrived(count: number): Promise<void> {
  while (lab.count('vault') < count) await new Promise(setImmediate);
}

/** What becomes of work that waits for the network, but for no timer. */
async function atOnce<T>(work: Promise<T>): Promise<T> {
  let over = false;
  const ended = work.finally(() => {
    over = true;
  });
  ended.catch(() => {});
  for (let turns = 0; !over && turns < 100_000; turns++) await new Promise(setImmediate);
  expect(over).toBe(true);
  return ended;
}

describe('a vault that is away', () => {
  it.each<[string, Fault['action'], string]>([
    ['cuts the connection', { kind: 'drop' }, 'unreachable'],
    ['answers 503', answer(503), 'server_error'],
    ['answers 500', answer(500), 'server_error'],
    ['asks to wait for longer than a Mount does', answer(429, { 'retry-after': '120' }), 'throttled'],
    ['is replaced by the page of a proxy', { ...answer(200), body: '<html>' }, 'unreachable'],
    ['is replaced by another server', { ...answer(200), body: { hello: 'world' } }, 'unreachable'],
    ['answers with a part of its JSON', { kind: 'edit', remove: ['value'] }, 'unreachable'],
    ['is replaced by an empty answer', answer(204), 'unreachable'],
    ['redirects to the sign-in page of a network', answer(302, { location: '/sign-in' }), 'unreachable'],
  ])('and %s: the last known value is served, with its version', async (_, action, cause) => {
    const before = await mounted();
    away(action);
    time += 5 * MINUTE;
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

  it('and takes requests without an answer: thirty pods are served after a short wait, then at once', async () => {
    const pods = Array.from({ length: 30 }, (_, i) => ({ names: [`s${i}`, `s${i + 1}`] }));
    const before = await Promise.all(pods.map(mounted));
    lab.emulator.requests.clear();
    away({ kind: 'hang' });
    stopTimers();
    const first = Promise.all(pods.map(mounted));
    await arrived(31);
    await pass(5_000);
    expect(await atOnce(first)).toEqual(before);
    const asked = lab.count('vault');
    // The gate lets 32 through, and the transport sends four second tries.
    expect(asked).toBeLessThanOrEqual(36);
    expect(await atOnce(Promise.all(pods.map(mounted)))).toEqual(before);
    expect(lab.count('vault')).toBe(asked);
    expect(causes).toEqual(Array.from({ length: 60 }, () => 'timeout'));
  });

  it.each([
    ['no deadline, as in rotations of drivers up to v1.5', Number.POSITIVE_INFINITY, 5_000],
    ['the deadline of the kubelet', 120_000, 5_000],
    ['a deadline of four seconds', 4_000, 1_800],
  ])('leaves a Mount with %s the time to answer', async (_, timeoutMs, waitMs) => {
    const before = await mounted();
    away({ kind: 'hang' });
    lab.emulator.requests.clear();
    stopTimers();
    const work = mounted({ timeoutMs });
    await arrived(1);
    await pass(waitMs - 1);
    expect(await Promise.race([work, new Promise(setImmediate).then(() => 'waits')])).toBe('waits');
    await pass(1);
    expect(await atOnce(work)).toEqual(before);
  });

  it('is asked by one in the background, after growing pauses, and by all again once it is back', async () => {
    const names = ['s1', 's2', 's3'];
    await mounted({ names });
    away({ kind: 'hang' });
    lab.emulator.requests.clear();
    stopTimers();
    const first = mounted({ names });
    await arrived(3);
    await pass(5_000);
    await atOnce(first);
    lab.emulator.requests.clear();
    // The second try falls into the fifteen seconds of the first one.
    const due = [5, 35, 75, 135, 195, 255];
    for (let second = 5; second < 300; second += 5) {
      await pass(5_000);
      await atOnce(Promise.all([mounted({ names }), mounted({ names })]));
      await arrived(due.filter((at) => at <= second).length);
    }
    expect(lab.count('vault')).toBe(due.length);
    lab.emulator.faults.clear();
    await pass(MINUTE);
    await atOnce(mounted({ names }));
    await arrived(due.length + 1);
    // The answer of the try ends the outage for all objects.
    let before: number;
    do {
      causes.length = 0;
      before = lab.count('vault');
      await atOnce(mounted({ names }));
    } while (causes.length > 0);
    expect(lab.count('vault') - before).toBe(names.length);
  });

  it('has a value for a pod that is new, of the same identity, and for no other', async () => {
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

  it('has none where nothing was kept: with --max-stale=0, and when the value is too old', async () => {
    await mounted();
    away(answer(503));
    time += HOUR - 1;
    expect((await mounted()).values).toEqual(['value-1']);
    time += 1;
    expect(await refused()).toMatchObject({ code: 'ERR_VAULT' });
    expect(ages).toEqual([0, HOUR - 1, 0]);
    await lab.close();
    await start({ maxStaleMs: 0 });
    await mounted();
    away(answer(503));
    expect(await refused()).toMatchObject({
      code: 'ERR_VAULT',
      message: expect.not.stringContaining('last known value'),
    });
  });

  it('and whose value is too old: the error says so, with the same words at each attempt', async () => {
    const readAt = new Date(time).toISOString().slice(0, 16);
    await mounted();
    away(answer(503));
    time += HOUR;
    const told = [await refused()];
    time += 2 * HOUR;
    told.push(await refused());
    const why = `the last known value was read at ${readAt}Z, which is longer ago than --max-stale (1h) allows`;
    expect(told[0]).toMatchObject({ code: 'ERR_VAULT', message: expect.stringContaining(why) });
    expect(told[1]).toEqual(told[0]);
    expect(await refused({ names: ['s2'] })).toMatchObject({
      message: expect.stringContaining('this node has no last known value of it for this identity'),
    });
  });

  it('and takes requests without an answer: a Mount whose time runs out is told why it has no value to end with', async () => {
    await mounted();
    away({ kind: 'hang' });
    time += HOUR;
    lab.emulator.requests.clear();
    stopTimers();
    const work = refused({ timeoutMs: 20_000 });
    await arrived(1);
    await pass(18_000);
    expect(await atOnce(work)).toMatchObject({
      code: 'ERR_TIMEOUT',
      message: expect.stringMatching(/waiting for the vault at .*; the last known value was read at .* --max-stale/),
    });
  });

  it('for one object of a Mount gives its last known value, unless another object has changed since', async () => {
    const pod = { names: ['s1', 's2'] };
    const before = await mounted(pod);
    time += 5 * MINUTE;
    away(answer(503), { object: 's2' });
    expect(await mounted(pod)).toEqual(before);
    lab.emulator.setSecret('lab-vault', 's1', 'changed');
    time += 5 * MINUTE;
    expect(await refused(pod)).toMatchObject({
      code: 'ERR_VAULT',
      message: expect.stringMatching(/s2.*503.*another object of the volume has changed/),
    });
    expect((await mounted({ names: ['s1'] })).values).toEqual(['changed']);
    expect((await mounted({ names: ['s2'] })).values).toEqual(['value-2']);
    lab.emulator.faults.clear();
    time += 2 * MINUTE;
    expect((await mounted(pod)).values).toEqual(['changed', 'value-2']);
  });

  it('is told of in one line when it answers again, with the time and the Mounts, as the metric counts them', async () => {
    await mounted({ names: ['s1', 's2'] });
    away(answer(503));
    await mounted({ names: ['s1', 's2'] });
    time += 4_000;
    await mounted({ names: ['s1'] });
    lab.emulator.faults.clear();
    time += 2 * MINUTE;
    await mounted({ names: ['s1', 's2'] });
    const told = log.lines.filter(({ message }) => message === 'A host answers again');
    expect(told.map(({ level, fields }) => ({ level, ...fields }))).toEqual([
      { level: 'info', host: expect.stringMatching(/^lab-vault\./), awaySeconds: 124, lastKnownMounts: causes.length },
    ]);
    expect(causes).toHaveLength(2);
  });

  it('has the versions of a history too', async () => {
    const before = await mounted({ names: ['many'], history: 3 });
    expect(before.values).toHaveLength(3);
    away({ kind: 'drop' });
    expect(await mounted({ names: ['many'], history: 3 })).toEqual(before);
  });
});

describe('the error that a last known value replaces', () => {
  const told = () =>
    log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => `${fields.objects}: ${fields.error}`);
  const token = () =>
    lab.emulator.issueServiceAccountToken({
      subject: SUBJECT,
      audience: WORKLOAD_IDENTITY_AUDIENCE,
      expiresInSeconds: 24 * 3600,
    });

  it('names the object of its own Mount, where another principal has found the vault away', async () => {
    const pod = { names: ['s2'], token: token() };
    await mounted();
    await mounted(pod);
    away(answer(503));
    await mounted();
    await mounted(pod);
    expect(told()).toEqual([
      expect.stringMatching(/^s1: Cannot read secret "s1" .* 503 .* service principal/),
      expect.stringMatching(
        /^s2: Cannot read secret "s2" from vault "lab-vault": the vault at \S+ answered 503 to an earlier/,
      ),
    ]);
    expect(told()[1]).not.toMatch(/s1|2222/);
  });

  it('names the identity of its own Mount, where another one has found the login service away', async () => {
    await lab.close();
    await start({ maxStaleMs: 3 * HOUR });
    const pod = { names: ['s2'], token: token() };
    await mounted();
    await mounted(pod);
    time += 2 * HOUR;
    lab.emulator.faults.add({ on: 'entra', method: 'POST', action: answer(503) });
    await mounted();
    await mounted(pod);
    expect(told()).toEqual([
      expect.stringMatching(/^s1: Cannot log in as service principal 2222/),
      expect.stringMatching(
        /^s2: Cannot log in as workload identity 3333.*: Entra ID at \S+ answered 503 to an earlier/,
      ),
    ]);
    expect(told()[1]).not.toMatch(/2222/);
  });
});

describe('a refusal', () => {
  const disabled = { error: { code: 'Forbidden', message: 'no', innererror: { code: 'SecretDisabled' } } };

  it.each<[string, Fault['action'], string]>([
    ['403', answer(403), 'ERR_FORBIDDEN'],
    ['404', answer(404), 'ERR_NOT_FOUND'],
    ['403 of a disabled object', { ...answer(403), body: disabled }, 'ERR_DISABLED'],
    ['401', answer(401), 'ERR_AUTHENTICATION'],
  ])('of %s is told, and the value is not served any more', async (_, action, code) => {
    await mounted({ names: ['s1', 's2'] });
    away(action, { object: 's1' });
    expect(await refused()).toMatchObject({ code });
    lab.emulator.faults.clear();
    away(answer(503));
    expect(await refused()).toMatchObject({ code: 'ERR_VAULT' });
    expect((await mounted({ names: ['s2'] })).values).toEqual(['value-2']);
  });
});

describe('another answer', () => {
  it.each<[string, Fault['action'], string]>([
    ['400', answer(400), 'ERR_BAD_PARAMETERS'],
    ['409', answer(409), 'ERR_VAULT'],
    ['401 with the page of a proxy', { ...answer(401), body: '<html>' }, 'ERR_AUTHENTICATION'],
    ['403 with the page of a proxy', { ...answer(403), body: '<html>' }, 'ERR_FORBIDDEN'],
    ['404 with the page of a proxy', { ...answer(404), body: '<html>' }, 'ERR_NOT_FOUND'],
  ])('(%s) is told too; the value stays for an outage', async (_, action, code) => {
    const before = await mounted();
    away(action);
    expect(await refused()).toMatchObject({ code });
    lab.emulator.faults.clear();
    away(answer(429, { 'retry-after': '120' }));
    expect(await mounted()).toEqual(before);
  });
});

describe('where the login service is away', () => {
  const podToken = (expiresInSeconds = 24 * 3600) =>
    lab.emulator.issueServiceAccountToken({ subject: SUBJECT, audience: WORKLOAD_IDENTITY_AUDIENCE, expiresInSeconds });
  const entra = (action: Fault['action']) => lab.emulator.faults.add({ on: 'entra', method: 'POST', action });

  beforeEach(async () => {
    await lab.close();
    await start({ maxStaleMs: 3 * HOUR });
  });

  it.each<[string, Fault['action']]>([
    ['answers 503', answer(503)],
    ['cuts the connection', { kind: 'drop' }],
    ['is replaced by the page of a proxy', { ...answer(200), body: '<html>' }],
    ['redirects to the sign-in page of a network', answer(302, { location: '/sign-in' })],
  ])(
    'and %s, an identity that it accepted gets last known values, and no request is sent with an old token',
    async (_, action) => {
      await mounted();
      const token = podToken();
      await mounted({ token });
      time += 2 * HOUR;
      lab.emulator.requests.clear();
      entra(action);
      expect((await mounted()).values).toEqual(['value-1']);
      expect((await mounted({ token })).values).toEqual(['value-1']);
      expect(lab.count('vault')).toBe(0);
      expect(causes).toHaveLength(2);
    },
  );

  it('and does not answer, it is served after a short wait, then at once', async () => {
    await mounted();
    time += 2 * HOUR;
    lab.emulator.requests.clear();
    entra({ kind: 'hang' });
    stopTimers();
    const first = mounted();
    while (lab.tokens() === 0) await new Promise(setImmediate);
    await pass(5_000);
    expect((await atOnce(first)).values).toEqual(['value-1']);
    expect((await atOnce(mounted())).values).toEqual(['value-1']);
    expect(lab.tokens()).toBe(1);
  });

  it.each<[string, () => Parameters<typeof mounted>[0]]>([
    ['a service principal', () => ({})],
    ['a service-account token', () => ({ token: podToken() })],
  ])('%s counts for as long as the value, however long ago it logged in', async (_, podOf) => {
    await lab.close();
    await start({ maxStaleMs: HOUR });
    const pod = podOf();
    await mounted(pod);
    time += 40 * MINUTE;
    await mounted(pod);
    expect(lab.tokens()).toBe(1);
    entra({ kind: 'drop' });
    away({ kind: 'drop' }, { unauthenticated: true });
    time += HOUR - 1;
    expect((await mounted(pod)).values).toEqual(['value-1']);
    time += 1;
    expect(await refused(pod)).toMatchObject({
      code: 'ERR_UNREACHABLE',
      message: expect.stringMatching(/this credential was last accepted at \S+Z, longer ago than --max-stale \(1h\)/),
    });
  });

  it('an identity that it never accepted here gets nothing, nor does one that it refused', async () => {
    await mounted({ token: podToken() });
    entra(answer(503));
    const unknown = { code: 'ERR_VAULT', message: expect.stringContaining('has not seen this credential accepted') };
    expect(await refused({ token: podToken(7200) })).toMatchObject(unknown);
    expect(await refused({ secret: 'wrong' })).toMatchObject(unknown);
  });

  it('a token that has ended opens nothing', async () => {
    const token = podToken(3600);
    await mounted({ token });
    time += HOUR + 1;
    entra(answer(503));
    expect(await refused({ token })).toMatchObject({ code: 'ERR_NO_CREDENTIALS' });
  });
});
