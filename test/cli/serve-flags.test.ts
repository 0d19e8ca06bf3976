import { describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { SERVE_FLAGS } from '../../src/cli/serve-flag-specs.ts';
import { parseServeFlags, serveHelp } from '../../src/cli/serve-flags.ts';
import { IDENTITY_KINDS } from '../../src/spc/identities/table.ts';

describe('flags of serve', () => {
  it('have the official provider’s names and defaults', () => {
    expect(parseServeFlags([])).toEqual({
      endpoint: 'unix:///tmp/azure.sock',
      version: false,
      help: false,
      verbosity: 0,
      logJson: false,
      healthHost: '',
      healthPort: 8989,
      healthPath: '/healthz',
      healthTimeoutMs: 5000,
      metricsHost: '',
      metricsPort: 8898,
      memoryBudgetBytes: 0,
      metricsObjectNames: true,
      offlineCacheDir: '',
      offlineCacheKeyFile: '',
      orderChain: true,
      split: false,
      cloudName: 'AzurePublicCloud',
      cloudFileDir: '',
      tokenProxyUrl: '',
      sniName: '',
      customUserAgent: '',
      cacheTtlMs: 30_000,
      pinnedCacheTtlMs: 600_000,
      maxStaleMs: 3_600_000,
      verifyTokensOffline: true,
      certificatePolicy: 'warn',
      identityModes: IDENTITY_KINDS,
      allowVolumeAttributes: [],
      serviceAccountLookup: false,
      ignored: [],
    });
  });

  it.each([
    ['--endpoint=tcp://127.0.0.1:0', { endpoint: 'tcp://127.0.0.1:0' }],
    ['--version', { version: true }],
    ['--help', { help: true }],
    ['-h', { help: true }],
    ['-v=5', { verbosity: 5 }],
    ['--log-format-json', { logJson: true }],
    ['--healthz-host=127.0.0.1', { healthHost: '127.0.0.1' }],
    ['--healthz-host=::1', { healthHost: '::1' }],
    ['--healthz-port=0', { healthPort: 0 }],
    ['--healthz-path=live', { healthPath: '/live' }],
    ['--healthz-timeout=1m', { healthTimeoutMs: 60_000 }],
    ['--metrics-backend=prometheus', {}],
    ['--prometheus-host=127.0.0.1', { metricsHost: '127.0.0.1' }],
    ['--prometheus-port=9000', { metricsPort: 9000 }],
    ['--metrics-object-names=false', { metricsObjectNames: false }],
    ['--construct-pem-chain=false', { orderChain: false }],
    ['--write-cert-and-key-in-separate-files', { split: true }],
    ['--cloud-name=azurechinacloud', { cloudName: 'azurechinacloud' }],
    ['--cloud-name=AzureStackCloud', { cloudName: 'AzureStackCloud' }],
    ['--cloud-name=', {}],
    ['--cloud-file-dir=/etc/clouds', { cloudFileDir: '/etc/clouds' }],
    ['--token-proxy-url=https://10.0.0.1:443', { tokenProxyUrl: 'https://10.0.0.1:443' }],
    ['--sni-name=a.ests.aks', { sniName: 'a.ests.aks' }],
    ['--custom-user-agent=my team/1', { customUserAgent: 'my team/1' }],
    ['--cache-ttl=0', { cacheTtlMs: 0 }],
    ['--pinned-cache-ttl=1h', { pinnedCacheTtlMs: 3_600_000 }],
    ['--max-stale=0', { maxStaleMs: 0 }],
    ['--verify-tokens-offline=false', { verifyTokensOffline: false }],
    ['--certificate-policy=Enforce', { certificatePolicy: 'enforce' }],
    ['--memory-budget=24Mi', { memoryBudgetBytes: 24 * 2 ** 20 }],
    ['--memory-budget=', {}],
    ['--identity-modes=', {}],
    ['--identity-modes=,', {}],
    ['--identity-modes=workload-identity', { identityModes: ['workload-identity'] }],
    [
      '--identity-modes=client-certificate, service-principal',
      { identityModes: ['client-certificate', 'service-principal'] },
    ],
    ['--allow-volume-attributes=', {}],
    ['--service-account-lookup', { serviceAccountLookup: true }],
    ['--allow-volume-attributes=*', { allowVolumeAttributes: ['*'] }],
    ['--allow-volume-attributes=objects,keyvaultName', { allowVolumeAttributes: ['objects', 'keyvaultName'] }],
  ])('%s', (arg, changes) => {
    expect(parseServeFlags([arg])).toEqual({ ...parseServeFlags([]), ...changes });
  });

  it('start with the arguments of an existing DaemonSet', () => {
    const args = [
      '--endpoint=unix:///provider/azure.sock',
      '--construct-pem-chain=true',
      '--write-cert-and-key-in-separate-files=false',
      '--healthz-port=8989',
      '--healthz-path=/healthz',
      '--healthz-timeout=5s',
      '--logtostderr',
      '--alsologtostderr=true',
      '--enable-pprof=false',
      '--pprof-port=6060',
      '--stderrthreshold=2',
      '--vmodule=a=1',
      '-v',
      '5',
    ];
    expect(parseServeFlags(args)).toEqual({
      ...parseServeFlags([]),
      endpoint: 'unix:///provider/azure.sock',
      verbosity: 5,
      ignored: ['logtostderr', 'alsologtostderr', 'enable-pprof', 'pprof-port', 'stderrthreshold', 'vmodule'],
    });
  });

  it.each([
    ['--memory-budget=7Mi', 'invalid value "7340032" for flag --memory-budget: it must be at least 8Mi'],
    [
      '--memory-budget=24MB',
      'invalid value "24MB" for flag --memory-budget: it must be a size such as 24Mi or 25165824',
    ],
    ['--cloud-name=Moon', 'invalid value "Moon" for flag --cloud-name: it must be "AzurePublicCloud", '],
    ['--metrics-backend=statsd', 'invalid value "statsd" for flag --metrics-backend: it must be "Prometheus"'],
    [
      '--certificate-policy=strict',
      'invalid value "strict" for flag --certificate-policy: it must be "warn" or "enforce"',
    ],
    ['--cloud-file-dir=/', 'invalid value "/" for flag --cloud-file-dir: it must be a directory other than "/"'],
    ['--cloud-file-dir=/etc/..', 'it must be a directory other than "/"'],
    ['--token-proxy-url=kubernetes', 'invalid value "kubernetes" for flag --token-proxy-url: it must be an https URL'],
    ['--token-proxy-url=http://a', 'invalid value "http://a" for flag --token-proxy-url: it must be an https URL'],
    ['--custom-user-agent=a\nb', 'invalid value "a\\nb" for flag --custom-user-agent: it must be printable ASCII'],
    ['--custom-user-agent=ü', 'invalid value "ü" for flag --custom-user-agent: it must be printable ASCII'],
    [
      '--identity-modes=workload-identities',
      'invalid value "workload-identities" in flag --identity-modes: each word must be "service-principal", ',
    ],
    ['--identity-modes=workload-identities', '; did you mean "workload-identity"?'],
    ['--identity-modes=x,pod-identity', 'invalid value "x" in flag --identity-modes: '],
    ['--allow-volume-attributes=keyVaultName', '; did you mean "keyvaultName"?'],
    [
      '--allow-volume-attributes=fileName',
      'invalid value "fileName" in flag --allow-volume-attributes: each word must be "keyvaultName", ',
    ],
    ['--endpiont=x', 'unknown flag --endpiont; did you mean --endpoint?'],
  ])('%s is refused', (arg, message) => {
    const attempt = () => parseServeFlags([arg]);
    expect(attempt).toThrow(ProviderError);
    expect(attempt).toThrow(expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringContaining(message) }));
  });
});

it('exit codes are in the help', () => {
  expect(serveHelp()).toContain('Exit codes: 0 ended by SIGTERM or SIGINT, 1 it could not start');
});

it('every flag is in the help, with words', () => {
  const lines = serveHelp().split('\n');
  const undocumented = SERVE_FLAGS.filter(
    ({ name, help }) => help === '' || !lines.some((line) => line.startsWith(`  --${name}`) && line.includes(help)),
  );
  expect(undocumented).toEqual([]);
});
