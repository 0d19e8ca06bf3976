import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { MemoryBudget } from '../../src/base/memory-budget.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { type MountOutcome, OUTCOMES } from '../../src/base/telemetry.ts';
import { CERTIFICATE_REASONS } from '../../src/pki/reasons.ts';
import { boundedLabel } from '../../src/server/bounded.ts';
import { createMetrics, startMetricsServer } from '../../src/server/metrics.ts';
import { clockOf, manualClock } from '../support/clocks.ts';
import { failure, grpcClient, mount, testServer, version } from '../support/server.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function metricsAt(start = 1_700_000_000_000, objectNames = true) {
  let now = start;
  const clock = clockOf(() => now);
  const metrics = createMetrics({
    version: '1.2.3',
    objectNames,
    clock,
    sweeper: new Sweeper(clock),
    log: silentLogger,
  });
  const advance = (ms: number) => {
    now += ms;
  };
  return { metrics, advance, now: () => now };
}

/** Returns the outcome of a Mount; default: success. */
function outcomeOf(more: Partial<MountOutcome> = {}): MountOutcome {
  const { volume = '/volume' } = more;
  const names = { namespace: 'shop', pod: 'web-0', secretProviderClass: 'broker' };
  return { volume, ...names, ok: true, lastKnownAgeMs: 0, finishedAt: 1_700_000_000_000, expiries: [], ...more };
}

/** Returns the samples of one metric, with sorted labels. */
async function samples(metrics: { text(): Promise<string> }, name: string): Promise<string[]> {
  const lines = (await metrics.text()).split('\n').filter((line) => line.split(/[{ ]/)[0] === name);
  return lines.map((line) => {
    const [, labels = '', value] = /^[^{ ]+(?:\{(.*)\})? (.*)$/.exec(line) ?? [];
    return `${labels
      .split(/,(?=\w+=")/)
      .sort()
      .join(',')} ${value}`;
  });
}

const COMMON = `os_type="${process.platform}",otel_scope_name="csi-secrets-store-provider-azure",otel_scope_version="",provider="azure",service_name="csi-secrets-store-provider-azure"`;

describe('keyvault_request', () => {
  test('has the buckets and labels of the official provider', async () => {
    const { metrics } = metricsAt();
    metrics.keyVaultRequest('secret', 'db-password', 0.25, 'ok');
    metrics.keyVaultRequest('secret', 'db-password', 0.15, 'ok');
    const text = await metrics.text();
    expect(text).toContain('# TYPE keyvault_request histogram');
    const labels = `error="",object_name="db-password",object_type="secret",${COMMON}`;
    expect(await samples(metrics, 'keyvault_request_bucket')).toEqual(
      [
        ['0.1', 0],
        ['0.2', 1],
        ...['0.3', '0.4', '0.5', '1', '1.5', '2', '2.5', '3', '5', '10', '15', '30', '+Inf'].map((le) => [le, 2]),
      ].map(([le, count]) => `error="",le="${le}",object_name="db-password",object_type="secret",${COMMON} ${count}`),
    );
    expect(await samples(metrics, 'keyvault_request_sum')).toEqual([`${labels} 0.4`]);
    expect(await samples(metrics, 'keyvault_request_count')).toEqual([`${labels} 2`]);
  });

  test('has a class in the place of the error text', async () => {
    const { metrics } = metricsAt();
    metrics.keyVaultRequest('cert', 'tls', 1, 'forbidden');
    expect(await samples(metrics, 'keyvault_request_count')).toEqual([
      `error="forbidden",object_name="tls",object_type="cert",${COMMON} 1`,
    ]);
  });

  test('can go without object names', async () => {
    const { metrics } = metricsAt(undefined, false);
    metrics.keyVaultRequest('key', 'sign', 1, 'ok');
    expect(await samples(metrics, 'keyvault_request_count')).toEqual([`error="",object_type="key",${COMMON} 1`]);
  });

  test('stays bounded however many objects there are', async () => {
    const { metrics } = metricsAt();
    for (let i = 0; i < 1200; i++) metrics.keyVaultRequest('secret', `s${i}`, 1, 'ok');
    const counts = await samples(metrics, 'keyvault_request_count');
    expect(counts).toHaveLength(101);
    expect(counts).toContain(`error="",object_name="other",object_type="secret",${COMMON} 1100`);
  });
});

describe('names of objects', () => {
  const expiry = (objectName: string, expiresAt: number) => ({
    namespace: 'shop',
    pod: 'web-0',
    objectType: 'cert' as const,
    objectName,
    expiresAt,
  });

  test('are the same hundred everywhere, and the soonest expiry stands for all others', async () => {
    const { metrics, now } = metricsAt();
    for (let i = 0; i < 100; i++) metrics.keyVaultRequest('secret', `s${i}`, 1, 'ok');
    const [s7, new1] = [expiry('s7', now() + 3 * MINUTE), expiry('new-1', now() + 2 * MINUTE)];
    metrics.mountFinished(outcomeOf({ expiries: [s7, new1, expiry('new-2', now() + MINUTE)] }));
    expect(await samples(metrics, 'akv_csi_object_expiry_seconds')).toEqual([
      'namespace="shop",object_name="s7",object_type="cert",pod="web-0" 180',
      'namespace="shop",object_name="other",object_type="cert",pod="web-0" 60',
    ]);
    metrics.mountFinished(outcomeOf({ expiries: [s7, new1, expiry('new-2', now() + 9 * MINUTE)] }));
    expect((await samples(metrics, 'akv_csi_object_expiry_seconds'))[1]).toMatch(/"other".* 120$/);
  });

  test('are absent if they are disabled', async () => {
    const { metrics, now } = metricsAt(undefined, false);
    metrics.keyVaultRequest('secret', 'db-password', 1, 'ok');
    metrics.mountFinished(outcomeOf({ expiries: [expiry('db-password', now() + MINUTE)] }));
    expect(await metrics.text()).not.toContain('db-password');
    expect(await samples(metrics, 'akv_csi_object_expiry_seconds')).toHaveLength(1);
  });

  test('with every type and outcome make no more series than there is room for', async () => {
    const { metrics } = metricsAt();
    const outcomes = ['ok', 'forbidden', 'not_found', 'throttled', 'timeout'] as const;
    for (let i = 0; i < 100; i++) {
      for (const outcome of outcomes) {
        for (const type of ['secret', 'key', 'cert'] as const) metrics.keyVaultRequest(type, `s${i}`, 1, outcome);
      }
    }
    const counts = await samples(metrics, 'keyvault_request_count');
    expect(counts).toHaveLength(200 + 15);
    expect(counts.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)).toBe(1500);
    expect((await metrics.text()).length).toBeLessThan(1_500_000);
  });
});

describe('grpc_request', () => {
  test('has the method and the code in the spelling of the official provider, and a class for the message', async () => {
    const { metrics } = metricsAt();
    const { path } = await testServer({
      meter: metrics,
      mount: async () => {
        throw new Error('something long and secret');
      },
    });
    const client = grpcClient(`unix:${path}`);
    await version(client);
    await failure(mount(client));
    expect((await samples(metrics, 'grpc_request_count')).sort()).toEqual([
      `grpc_code="Internal",grpc_message="ERR_INTERNAL",grpc_method="/v1alpha1.CSIDriverProvider/Mount",${COMMON} 1`,
      `grpc_code="OK",grpc_message="",grpc_method="/v1alpha1.CSIDriverProvider/Version",${COMMON} 1`,
    ]);
  });

  test('goes with the number of Mounts in flight', async () => {
    const { metrics } = metricsAt();
    const method = '/v1alpha1.CSIDriverProvider/Mount';
    metrics.callStarted(method);
    metrics.callStarted(method);
    metrics.callStarted('/grpc.health.v1.Health/Check');
    expect(await samples(metrics, 'akv_csi_mounts_in_flight')).toEqual([' 2']);
    metrics.callEnded({ method, code: 'OK', errorCode: '', seconds: 1 });
    expect(await samples(metrics, 'akv_csi_mounts_in_flight')).toEqual([' 1']);
  });
});

describe('our own metrics', () => {
  test('name the build', async () => {
    const { metrics } = metricsAt();
    expect(await samples(metrics, 'akv_csi_build_info')).toEqual([
      `node_version="${process.versions.node}",version="1.2.3" 1`,
    ]);
    expect(await samples(metrics, 'target_info')).toEqual([
      'service_name="csi-secrets-store-provider-azure",service_version="1.2.3" 1',
    ]);
  });

  test('count retries, tokens, cache lookups, last known values and certificate warnings', async () => {
    const { metrics } = metricsAt();
    metrics.vaultRetry('prod-kv', 'throttled');
    metrics.vaultRetry('prod-kv', 'throttled');
    metrics.tokenRequest('workload', 'ok');
    metrics.cacheLookup('hit');
    metrics.lastKnownMount('timeout');
    metrics.objectMissing('disabled');
    metrics.objectNotValid('previous');
    metrics.fallbackRead('kv-west', 'kv-north');
    expect(await samples(metrics, 'akv_csi_fallback_reads_total')).toEqual(['fallback="kv-north",vault="kv-west" 1']);
    metrics.certificateWarning('expired');
    expect(await samples(metrics, 'akv_csi_invalid_objects_total')).toEqual([
      'action="warned" 0',
      'action="refused" 0',
      'action="previous" 1',
    ]);
    expect(await samples(metrics, 'akv_csi_missing_objects_total')).toEqual([
      'reason="not_found" 0',
      'reason="disabled" 1',
    ]);
    expect(await samples(metrics, 'akv_csi_last_known_mounts_total')).toEqual([
      'cause="unreachable" 0',
      'cause="timeout" 1',
      'cause="throttled" 0',
      'cause="server_error" 0',
    ]);
    expect(await samples(metrics, 'akv_csi_vault_retries_total')).toEqual(['reason="throttled",vault="prod-kv" 2']);
    expect(await samples(metrics, 'akv_csi_token_requests_total')).toContain('identity="workload",outcome="ok" 1');
    expect(await samples(metrics, 'akv_csi_cache_lookups_total')).toContain('result="hit" 1');
    expect(await samples(metrics, 'akv_csi_certificate_warnings_total')).toContain('reason="expired" 1');
  });

  test('count name lookups and second requests, from 0', async () => {
    const { metrics } = metricsAt();
    metrics.nameLookup('stale');
    metrics.secondRequest('connection', 'second');
    const lookups = await samples(metrics, 'akv_csi_name_lookups_total');
    expect(lookups).toEqual([
      ...['ok', 'not_found', 'failed', 'refused'].map((result) => `result="${result}" 0`),
      'result="stale" 1',
    ]);
    const seconds = await samples(metrics, 'akv_csi_second_requests_total');
    expect(seconds).toHaveLength(9);
    expect(seconds).toContain('cause="connection",winner="second" 1');
    expect(seconds).toContain('cause="cut",winner="none" 0');
  });

  test('tell how long a mounted object still lives, at the time of asking', async () => {
    const { metrics, advance, now } = metricsAt();
    const object = { namespace: 'shop', pod: 'web-0', objectType: 'cert', objectName: 'tls' } as const;
    metrics.mountFinished(outcomeOf({ expiries: [{ ...object, expiresAt: now() + 5 * MINUTE }] }));
    advance(2 * MINUTE);
    const labels = 'namespace="shop",object_name="tls",object_type="cert",pod="web-0"';
    expect(await samples(metrics, 'akv_csi_object_expiry_seconds')).toEqual([`${labels} 180`]);
    advance(4 * MINUTE);
    expect(await samples(metrics, 'akv_csi_object_expiry_seconds')).toEqual([`${labels} -60`]);
    expect(await samples(metrics, 'akv_csi_object_expiration_timestamp_seconds')).toEqual([`${labels} 1700000300`]);
  });

  test('tell of expiries what the last Mount that succeeded knows, as long as the volume is seen', async () => {
    const { metrics, advance, now } = metricsAt();
    const expiry = (objectName: string, expiresAt: number) => ({
      ...{ namespace: 'shop', pod: 'web-0', objectType: 'secret' as const },
      ...{ objectName, expiresAt },
    });
    const names = async () =>
      (await samples(metrics, 'akv_csi_object_expiration_timestamp_seconds')).map(
        (line) => /object_name="(\w+)"/.exec(line)?.[1],
      );
    metrics.mountFinished(outcomeOf({ expiries: [expiry('a', now()), expiry('b', now())] }));
    for (let hours = 0; hours < 40; hours += 20) {
      advance(20 * HOUR);
      metrics.mountFinished(outcomeOf({ ok: false }));
    }
    expect(await names()).toEqual(['a', 'b']);
    metrics.mountFinished(outcomeOf({ expiries: [expiry('b', now())] }));
    expect(await names()).toEqual(['b']);
    metrics.mountFinished(outcomeOf());
    expect(await names()).toEqual([]);
  });

  test('tell when a volume was last mounted and how often it failed since', async () => {
    const { metrics, now } = metricsAt();
    const labels = 'namespace="shop",pod="web-0",secretproviderclass="broker"';
    metrics.mountFinished(outcomeOf({ ok: false, finishedAt: now() }));
    expect(await samples(metrics, 'akv_csi_mount_last_success_timestamp_seconds')).toEqual([]);
    metrics.mountFinished(outcomeOf({ ok: true, finishedAt: now() }));
    expect(await samples(metrics, 'akv_csi_mount_consecutive_failures')).toEqual([`${labels} 0`]);
    metrics.mountFinished(outcomeOf({ ok: false, finishedAt: now() + MINUTE }));
    metrics.mountFinished(outcomeOf({ ok: false, finishedAt: now() + 2 * MINUTE }));
    expect(await samples(metrics, 'akv_csi_mount_consecutive_failures')).toEqual([`${labels} 2`]);
    expect(await samples(metrics, 'akv_csi_mount_last_success_timestamp_seconds')).toEqual([`${labels} 1700000000`]);
  });

  test('tell how old the last known values of a volume are, until a Mount without any succeeds', async () => {
    const { metrics } = metricsAt();
    const ages = () => samples(metrics, 'akv_csi_mount_last_known_age_seconds');
    const labels = 'namespace="shop",pod="web-0",secretproviderclass="broker"';
    metrics.mountFinished(outcomeOf({ ok: false }));
    expect(await ages()).toEqual([`${labels} 0`]);
    metrics.mountFinished(outcomeOf({ lastKnownAgeMs: 740_000 }));
    metrics.mountFinished(outcomeOf({ volume: '/twin', lastKnownAgeMs: 20_000 }));
    expect(await ages()).toEqual([`${labels} 740`]);
    metrics.mountFinished(outcomeOf({ ok: false }));
    expect(await ages()).toEqual([`${labels} 740`]);
    metrics.mountFinished(outcomeOf());
    expect(await ages()).toEqual([`${labels} 20`]);
    metrics.mountFinished(outcomeOf({ volume: '/twin' }));
    expect(await ages()).toEqual([`${labels} 0`]);
  });

  test('keep the volumes of a pod apart, and show the worst of those that have one class', async () => {
    const { metrics, now } = metricsAt();
    const finished = (volume: string, secretProviderClass: string, ok: boolean, at = now()) =>
      metrics.mountFinished(outcomeOf({ volume, secretProviderClass, ok, finishedAt: at }));
    for (let round = 0; round < 3; round++) {
      finished('/bad', 'bad', false);
      finished('/good', 'good', true);
      finished('/twin-1', 'twin', true, now() - MINUTE);
      finished('/twin-2', 'twin', false);
      finished('/twin-3', 'twin', true);
    }
    const labels = (name: string) => `namespace="shop",pod="web-0",secretproviderclass="${name}"`;
    expect(await samples(metrics, 'akv_csi_mount_consecutive_failures')).toEqual([
      `${labels('bad')} 3`,
      `${labels('good')} 0`,
      `${labels('twin')} 3`,
    ]);
    expect(await samples(metrics, 'akv_csi_mount_last_success_timestamp_seconds')).toEqual([
      `${labels('good')} 1700000000`,
      `${labels('twin')} 1699999940`,
    ]);
  });

  test.each([
    // The minutes at which a volume is mounted, with the result, and then the minutes at which figures are last shown.
    [
      'a pod that never started',
      [
        [0, 'failed'],
        [1, 'failed'],
        [3, 'failed'],
      ],
      3 + 14,
      ['3', '0'],
    ],
    ['a pod that failed once', [[0, 'failed']], 14, ['1', '0']],
    [
      'a pod whose rotations of two minutes fail',
      [
        [0, 'ok'],
        [2, 'failed'],
        [4, 'failed'],
      ],
      4 + 14,
      ['2', '0'],
    ],
    [
      'a pod whose rotations of an hour fail',
      [
        [0, 'ok'],
        [60, 'failed'],
      ],
      60 + 179,
      ['1', '0'],
    ],
    [
      'a pod with old values and rotation',
      [
        [0, 'old'],
        [2, 'old'],
      ],
      2 + 14,
      ['0', '90'],
    ],
    ['a pod with old values that mounted once', [[0, 'old']], 23 * 60, ['0', '90']],
    [
      'a pod with old values after a failure',
      [
        [0, 'failed'],
        [1, 'old'],
      ],
      23 * 60 + 1,
      ['0', '90'],
    ],
  ] as const)('forget the failures and old values of %s when it is gone', async (_, mounts, last, shown) => {
    const { metrics, advance, now } = metricsAt();
    const start = now();
    const moveTo = (minutes: number) => advance(start + minutes * MINUTE - now());
    for (const [minutes, result] of mounts) {
      moveTo(minutes);
      metrics.mountFinished(outcomeOf({ ok: result !== 'failed', lastKnownAgeMs: result === 'old' ? 90_000 : 0 }));
    }
    const figures = async () => {
      const names = ['akv_csi_mount_consecutive_failures', 'akv_csi_mount_last_known_age_seconds'];
      const found = await Promise.all(names.map((name) => samples(metrics, name)));
      return found.map(([line]) => line?.split(' ')[1]);
    };
    moveTo(last);
    expect(await figures()).toEqual(shown);
    moveTo(last + 60);
    expect(await figures()).toEqual(shown.map((figure) => (figure === '0' && last < 23 * 60 ? '0' : undefined)));
  });

  test('count on when a pod that seemed gone fails again', async () => {
    const { metrics, advance } = metricsAt();
    metrics.mountFinished(outcomeOf());
    for (let i = 0; i < 2; i++) {
      advance(MINUTE);
      metrics.mountFinished(outcomeOf({ ok: false }));
    }
    advance(HOUR);
    expect(await samples(metrics, 'akv_csi_mount_consecutive_failures')).toEqual([]);
    expect(await samples(metrics, 'akv_csi_mount_last_success_timestamp_seconds')).toHaveLength(1);
    metrics.mountFinished(outcomeOf({ ok: false }));
    expect(await samples(metrics, 'akv_csi_mount_consecutive_failures')).toEqual([
      'namespace="shop",pod="web-0",secretproviderclass="broker" 3',
    ]);
  });

  test('forget volumes and objects that were idle for a day', async () => {
    const { metrics, advance, now } = metricsAt();
    const expiries = [
      {
        namespace: 'shop',
        pod: 'web-0',
        objectType: 'cert' as const,
        objectName: 'tls',
        expiresAt: now() + 100 * HOUR,
      },
    ];
    metrics.mountFinished(outcomeOf({ expiries }));
    advance(23 * HOUR);
    metrics.mountFinished(outcomeOf({ volume: '/here', pod: 'here' }));
    expect(await samples(metrics, 'akv_csi_mount_consecutive_failures')).toHaveLength(2);
    expect(await samples(metrics, 'akv_csi_object_expiry_seconds')).toHaveLength(1);
    advance(HOUR);
    expect(await samples(metrics, 'akv_csi_mount_consecutive_failures')).toEqual([
      'namespace="shop",pod="here",secretproviderclass="broker" 0',
    ]);
    expect(await samples(metrics, 'akv_csi_object_expiry_seconds')).toEqual([]);
  });

  test('remember 1000 volumes and 2000 expiries at most', async () => {
    const { metrics, now } = metricsAt();
    for (let i = 0; i < 1200; i++) {
      const [volume, pod] = [`/${i}`, `p${i}`];
      const expiries = Array.from({ length: 3 }, (_, index) => ({
        ...{ namespace: 'n', pod, objectType: 'secret' as const },
        ...{ objectName: `s${index}`, expiresAt: now() },
      }));
      metrics.mountFinished(outcomeOf({ volume, pod, expiries }));
    }
    expect(await samples(metrics, 'akv_csi_mount_consecutive_failures')).toHaveLength(1000);
    expect(await samples(metrics, 'akv_csi_object_expiry_seconds')).toHaveLength(1998);
  });

  test('begin at 0, so that an increase shows the first event', async () => {
    const { metrics } = metricsAt();
    const zeros = async (name: string) => {
      const lines = await samples(metrics, name);
      expect(lines.filter((line) => !line.endsWith(' 0'))).toEqual([]);
      return lines.length;
    };
    expect(await zeros('akv_csi_cache_lookups_total')).toBe(3);
    expect(await zeros('akv_csi_certificate_warnings_total')).toBe(CERTIFICATE_REASONS.length);
    expect(await zeros('akv_csi_token_requests_total')).toBe(6 * OUTCOMES.length);
    expect(await zeros('akv_csi_vault_retries_total')).toBe(0);
    metrics.vaultAsked('prod-kv');
    metrics.vaultAsked('prod-kv');
    expect(await samples(metrics, 'akv_csi_vault_retries_total')).toEqual([
      'reason="throttled",vault="prod-kv" 0',
      'reason="retried",vault="prod-kv" 0',
    ]);
    metrics.vaultRetry('prod-kv', 'retried');
    metrics.vaultAsked('prod-kv');
    expect(await samples(metrics, 'akv_csi_vault_retries_total')).toContain('reason="retried",vault="prod-kv" 1');
  });

  test('survive labels with anything in them', async () => {
    const { metrics } = metricsAt();
    metrics.vaultRetry('a"b\\c\nd', 'retried');
    expect(await metrics.text()).toContain('vault="a\\"b\\\\c\\nd"');
  });

  test('are printable and short, wherever they come from', async () => {
    const { metrics, now } = metricsAt();
    const raw = `\u001b[31m\u0085\u202e\r${'x'.repeat(300)}`;
    metrics.vaultRetry(raw, 'retried');
    metrics.tokenRequest(raw, 'ok');
    metrics.certificateWarning(raw);
    metrics.keyVaultRequest('secret', raw, 1, 'ok');
    const expiries = [{ namespace: raw, pod: raw, objectType: 'secret' as const, objectName: raw, expiresAt: now() }];
    metrics.mountFinished(outcomeOf({ namespace: raw, pod: raw, secretProviderClass: raw, expiries }));
    const text = await metrics.text();
    expect(text).not.toMatch(/(?!\n)\p{Cc}|\u202e/u);
    expect(text).not.toContain('x'.repeat(201));
    for (const label of ['vault', 'identity', 'reason', 'object_name', 'namespace', 'pod', 'secretproviderclass']) {
      expect(text).toContain(`${label}="\\\\x1b[31m\\\\x85\\\\u202e\\\\rxxx`);
    }
  });
});

describe('the metrics endpoint', () => {
  test('serves /metrics and nothing else', async () => {
    const { metrics } = metricsAt();
    const server = await startMetricsServer({ host: '127.0.0.1', port: 0, metrics });
    onTestFinished(() => server.close());
    const get = (path: string) => fetch(`http://127.0.0.1:${server.port}${path}`);
    const found = await get('/metrics');
    expect(found.status).toBe(200);
    expect(found.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await found.text()).toContain('akv_csi_build_info');
    for (const path of ['/', '/metrics/', '/debug/pprof/', '/healthz', '/metricsx']) {
      expect((await get(path)).status).toBe(404);
    }
  });

  test('renders once for all who scrape within a second', async () => {
    const clock = manualClock();
    let rendered = 0;
    const metrics = { text: async () => `rendered ${++rendered}` };
    const server = await startMetricsServer({ host: '127.0.0.1', port: 0, metrics, clock });
    onTestFinished(() => server.close());
    const scrape = async () => (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
    const first = await Promise.all(Array.from({ length: 12 }, scrape));
    expect(new Set(first)).toEqual(new Set(['rendered 1']));
    clock.time += 999;
    expect(await scrape()).toBe('rendered 1');
    clock.time += 1;
    expect(await scrape()).toBe('rendered 2');
  });

  test('names the port it cannot have', async () => {
    const { metrics } = metricsAt();
    const server = await startMetricsServer({ host: '127.0.0.1', port: 0, metrics });
    onTestFinished(() => server.close());
    await expect(startMetricsServer({ host: '127.0.0.1', port: server.port, metrics })).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringContaining(
        `Cannot listen on port ${server.port} of 127.0.0.1 for metrics (--prometheus-port)`,
      ),
    });
  });
});

describe('a bounded label', () => {
  test('lets the first values through for good', () => {
    const label = boundedLabel(2);
    expect(['a', 'b', 'c', 'a', 'd', 'b'].map(label)).toEqual(['a', 'b', 'other', 'a', 'other', 'b']);
  });
});

describe('the memory budget', () => {
  test('shows its size, its use and the Mounts that wait', async () => {
    const clock = clockOf(() => 0);
    const memory = new MemoryBudget(1000);
    const never = new AbortController().signal;
    const metrics = createMetrics({
      version: '1.2.3',
      objectNames: true,
      clock,
      sweeper: new Sweeper(clock),
      memory,
      log: silentLogger,
    });
    await memory.open({ owner: 'a', held: 0, bytes: 700 }, never);
    void memory.open({ owner: 'a', held: 50, bytes: 700 }, never);
    expect(await samples(metrics, 'akv_csi_memory_budget_bytes')).toEqual([' 1000']);
    expect(await samples(metrics, 'akv_csi_memory_used_bytes')).toEqual([' 750']);
    expect(await samples(metrics, 'akv_csi_memory_waiting_mounts')).toEqual([' 1']);
  });
});
