import { describe, expect, test } from 'vitest';
import {
  container,
  type daemonSet,
  findHelm,
  notes,
  podSpec,
  REPOSITORY,
  refusal,
  render,
  type Tree,
  withImage,
} from './helm.ts';
import { officialReleases, officialValues } from './official-values.ts';
import { settings } from './settings.ts';

const helm = findHelm();
const OFFICIAL = 'mcr.microsoft.com/oss/v2/azure/secrets-store/provider-azure';
const images = (values: Tree) =>
  [container(values), ...(podSpec(values).initContainers ?? [])].map(({ image }) => image);

describe.skipIf(helm === undefined)('chart, given an image', () => {
  test.each([
    ['none', undefined, /linux\.image\.repository: it is empty.*set linux\.image\.repository/],
    ['the official one', OFFICIAL, /"mcr.*provider-azure" is the official provider.*set linux\.image\.repository/],
    ['its old name', 'mcr.microsoft.com/oss/azure/secrets-store/provider-azure', /is the official provider/],
    ['its oldest name', 'mcr.microsoft.com/k8s/csi/secrets-store/provider-azure', /is the official provider/],
    ['a mirror', 'registry.example:5000/proxy/oss/azure/secrets-store/provider-azure', /is the official provider/],
    ['a flat mirror', 'registry.example/secrets-store-provider-azure', /is the official provider/],
    ['a short mirror', 'registry.example/provider-azure', /is the official provider/],
    ['one in capitals', 'registry.example/Secrets-Store/Provider-Azure', /is the official provider/],
    ['one with a tag', `${OFFICIAL}:v1.8.2`, /is the official provider/],
    ['an own one with a tag', `${REPOSITORY}:1`, /has a tag; write the tag in linux\.image\.tag/],
    ['an own one by digest', `${REPOSITORY}@sha256:0`, /digest, which belongs in linux\.image\.digest/],
  ])('refuses %s', (_name, repository, message) => {
    expect(refusal(repository === undefined ? {} : { linux: { image: { repository } } })).toMatch(message);
  });

  test.each(['registry.example:5000/akv', 'akv-csi-provider', 'r.example/provider-azure-next'])(
    'takes %s',
    (repository) => {
      expect(container({ linux: { image: { repository, tag: 'a' } } }).image).toBe(`${repository}:a`);
    },
  );

  test('accepts name and version of the official image if allowOfficial is set', () => {
    const image = { repository: OFFICIAL, tag: 'v1.8.2', allowOfficial: true };
    expect(container({ linux: { image } }).image).toBe(`${OFFICIAL}:v1.8.2`);
  });

  test('accepts such a version next to a digest, which overrides it', () => {
    const image = { tag: 'v1.8.2', digest: `sha256:${'0'.repeat(64)}` };
    expect(container({ linux: { image } }).image).toContain('@sha256:0');
  });

  test('requires no image if it runs no pods', () => {
    expect([...render({ linux: { enabled: false, image: { repository: '' } } }).keys()]).toEqual(['ServiceAccount']);
  });
});

describe.skipIf(helm === undefined)('chart, given a values file of the official chart', () => {
  test('refuses its image', () => {
    expect(refusal(officialValues)).toMatch(/is the official provider/);
  });

  test.each([...officialReleases])('works with that of %s and an image of ours', (version, values) => {
    const { linux } = values as { linux: { image: Tree } };
    const image = { ...linux.image, repository: REPOSITORY };
    expect(refusal({ ...values, linux: { ...linux, image } })).toContain(
      `linux.image.tag: "${version}" is a version of the official provider`,
    );
    const ours = ['--set', `linux.image.repository=${REPOSITORY}`, '--set', 'linux.image.tag='];
    const set = render(values, ours).get('DaemonSet') as unknown as ReturnType<typeof daemonSet>;
    const [first] = set.spec.template.spec.containers;
    expect(first?.args).toEqual(container().args);
    expect(first?.image).toBe(container().image);
    expect(set.spec.template.spec).not.toHaveProperty('priorityClassName');
  });

  test('says how to install the driver, which that file expects', () => {
    const linux = { ...(officialValues.linux as Tree), image: { tag: 'a' } };
    expect(notes({ ...officialValues, linux })).toContain('helm install csi-secrets-store');
  });
});

describe.skipIf(helm === undefined)('chart, given text for booleans and integers', () => {
  const text: Tree = {
    logFormatJSON: 'true',
    logVerbosity: '2',
    constructPEMChain: 'false',
    writeCertAndKeyInSeparateFiles: 'False',
    metricsObjectNames: 'false',
    metricsAddr: '9100',
    enableArcExtension: 'false',
    windows: { enabled: 'false' },
    rbac: { install: 'false', pspEnabled: 'false' },
    'secrets-store-csi-driver': { install: 'false' },
    linux: {
      enabled: 'true',
      hostNetwork: 'false',
      privileged: 'FALSE',
      runAsUser: '65532',
      healthzPort: '8990',
      updateStrategy: { rollingUpdate: { maxSurge: '1', maxUnavailable: '0' } },
    },
  };
  const typed: Tree = {
    logFormatJSON: true,
    logVerbosity: 2,
    constructPEMChain: false,
    metricsObjectNames: false,
    metricsAddr: 9100,
    rbac: { install: false },
    linux: {
      hostNetwork: false,
      runAsUser: 65532,
      healthzPort: 8990,
      updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    },
  };

  test('does the same as with the values themselves', () => {
    expect([...render(text)]).toEqual([...render(typed)]);
    expect(images(text)).toHaveLength(2);
    expect(notes(text)).toBe(notes(typed));
  });

  test('treats a values file with empty sections as an empty one', () => {
    const sections = ['proxy', 'caBundle', 'rbac', 'windows', 'Azure', 'secrets-store-csi-driver', 'global', 'arc'];
    const empty = Object.fromEntries(sections.map((name) => [name, null]));
    expect([...render(empty)]).toEqual([...render()]);
    expect(notes(empty)).toBe(notes());
    const linux = {
      healthzPort: null,
      healthzPath: null,
      healthzTimeout: null,
      hostNetwork: null,
      privileged: null,
      runAsUser: null,
      providersDir: null,
      enabled: null,
      image: { pullPolicy: null, tag: null, digest: null },
    };
    expect([...render({ linux, metricsAddr: null, providerName: null, cacheTTL: null })]).toEqual([...render()]);
    expect(refusal({ linux: null })).toMatch(/linux\.image\.repository: it is empty/);
  });

  test('omits values that are set to null', () => {
    const linux = { affinity: null, tolerations: null, resources: null, priorityClassName: null, dnsPolicy: null };
    const spec = podSpec({ linux });
    for (const name of ['affinity', 'tolerations', 'priorityClassName', 'dnsPolicy'])
      expect(spec).not.toHaveProperty(name);
    expect(spec.containers[0]?.resources).toEqual({});
  });
});

describe.skipIf(helm === undefined)('chart, given unknown names', () => {
  test.each<[string, Tree]>([
    ['syncSecret off', { syncSecret: { enabled: false } }],
    ['syncSecret off, as text', { syncSecret: { enabled: 'false' } }],
    ['enableSecretRotation off', { enableSecretRotation: false }],
    ['the usual rotationPollInterval', { rotationPollInterval: '2m' }],
    ['rbac.enabled', { rbac: { enabled: true } }],
    ['a dotted name that is off', { 'secrets-store-csi-driver.syncSecret.enabled': 'false' }],
    ['linux.metricsAddr as it is', { linux: { metricsAddr: ':8898' } }],
    ['an image without values', { image: { repository: '', tag: '', pullPolicy: '' } }],
    ['an empty linux.env', { linux: { env: [] } }],
    ['an empty linux.extraArgs', { linux: { extraArgs: [] } }],
    ['anything of the driver in its place', { 'secrets-store-csi-driver': { syncSecret: { enabled: true }, x: 1 } }],
    ['anything of Windows nodes that are off', { windows: { metricsAddr: 'x', env: [] } }],
    ['anything for all charts', { global: { imageRegistry: 'x' } }],
  ])('accepts %s, which has no effect', (_name, values) => {
    expect([...render(values)]).toEqual([...render()]);
  });

  test.each<[string, Tree, RegExp]>([
    [
      'syncSecret',
      { syncSecret: { enabled: true } },
      /syncSecret: the driver is not part.*set syncSecret in the release/,
    ],
    ['enableSecretRotation', { enableSecretRotation: 'true' }, /enableSecretRotation: the driver is not part/],
    ['rotationPollInterval', { rotationPollInterval: '30s' }, /rotationPollInterval: the driver is not part/],
    ['tokenRequests', { tokenRequests: [{ audience: 'a' }] }, /tokenRequests: the driver is not part/],
    ["the driver's images", { linux: { crds: { image: {} } } }, /linux\.crds: the driver is not part/],
    [
      'a dotted name of the driver',
      { 'secrets-store-csi-driver.syncSecret.enabled': true },
      /a dot in a name does not nest.*set syncSecret\.enabled in the release of the chart secrets-store-csi-driver/,
    ],
    ['a dotted name', { 'linux.image.repository': 'x' }, /linux\.image\.repository: a dot in a name does not nest/],
    ['rbac.enabled: false', { rbac: { enabled: false } }, /rbac\.enabled: .*use rbac\.install/],
    ['linux.metricsAddr', { linux: { metricsAddr: '9100' } }, /linux\.metricsAddr: .*use metricsAddr/],
    ['linux.env', { linux: { env: [{ name: 'A', value: 'b' }] } }, /linux\.env: .*use env/],
    ['linux.extraArgs', { linux: { extraArgs: ['-v=5'] } }, /linux\.extraArgs: .*use extraArgs/],
    ['image', { image: { repository: 'x' } }, /image: .*use linux\.image/],
    ['tolerations', { tolerations: [{}] }, /tolerations: .*use linux\.tolerations/],
    ['a misspelt value', { linux: { hostnetwork: true } }, /linux\.hostnetwork: .*use linux\.hostNetwork/],
    ['a security context', { securityContext: { runAsUser: 1000 } }, /securityContext: .*use linux\.runAsUser/],
    ['resources', { resources: { limits: {} } }, /resources: .*use linux\.resources/],
    ['an unknown value', { linux: { sidecars: [] } }, /linux\.sidecars: there is no such value; README/],
    ['text for a section', { proxy: 'http://proxy' }, /proxy: must be a map/],
  ])('refuses %s with a remedy', (_name, values, message) => {
    expect(refusal(withImage(values))).toMatch(message);
  });
});

describe.skipIf(helm === undefined)('chart', () => {
  test.each<[string, Tree, RegExp]>([
    ['Windows nodes', { windows: { enabled: true } }, /windows\.enabled: .* Linux nodes only; set it to false/],
    ['Windows nodes, as text', { windows: { enabled: 'true' } }, /windows\.enabled: .* Linux nodes only/],
    ['the Arc extension', { enableArcExtension: true }, /enableArcExtension: .* set it to false/],
    [
      "Arc's proxy",
      { Azure: { proxySettings: { isProxyEnabled: true } } },
      /Azure\.proxySettings: .* set `proxy\.httpsProxy`/,
    ],
    ['pod security policies', { rbac: { pspEnabled: true } }, /rbac\.pspEnabled: .* removed/],
    [
      'an offline cache without a key',
      { offlineCache: { directory: '/var/lib/akv' } },
      /offlineCache: set directory and keySecret, or neither/,
    ],
    [
      'a key without an offline cache',
      { offlineCache: { keySecret: 'k' } },
      /offlineCache: set directory and keySecret/,
    ],
    ['two CA bundles', { caBundle: { configMap: 'a', secret: 'b' } }, /caBundle: set configMap or secret, not both/],
    ['one port for two purposes', { metricsAddr: '8989' }, /linux\.healthzPort and metricsAddr are the same port/],
    ['another label app', { linux: { podLabels: { app: 'x' } } }, /linux\.podLabels: "app" must be .* nameOverride/],
    [
      'Windows by label',
      { linux: { nodeSelector: { 'kubernetes.io/os': 'windows' } } },
      /nodeSelector: .* Linux nodes/,
    ],
    ['no name server', { linux: { dnsPolicy: 'None' } }, /dnsPolicy: None needs linux\.dnsConfig\.nameservers/],
    ['the probed port twice', { extraArgs: ['--healthz-port=1'] }, /--healthz-port .* set linux\.healthzPort instead/],
    [
      'an identity mode that is none',
      { identityModes: ['workload-identity', 'managed'] },
      /identityModes: the item "managed" is not service-principal, .* or identity-binding/,
    ],
    [
      'a flag on which the network depends',
      { extraArgs: ['--identity-modes=pod-identity'] },
      /--identity-modes .* set identityModes instead/,
    ],
    ['a port that needs a capability', { linux: { healthzPort: 80 } }, /healthzPort: "80" is not .* from 1024/],
    ['a name that Kubernetes refuses', { nameOverride: 'a/b' }, /nameOverride: "a\/b" is not a name of lower-case/],
    [
      "a label by which the chart's objects select the pods",
      {
        linux: { podLabels: { 'app.kubernetes.io/instance': 'x' } },
        monitoring: { podMonitor: { enabled: true } },
      },
      /linux\.podLabels: .* select the pods by "app\.kubernetes\.io\/instance"; remove the label/,
    ],
    ['a volume that is there', { linux: { volumes: [{ name: 'providers' }] } }, /"providers" is the name of a volume/],
    ['a number for a variable', { env: [{ name: 'A', value: 5 }] }, /env: the value of "A" is not text.*quotes/],
    ['a duration without unit', { cacheTTL: '30' }, /cacheTTL: "30" is not a duration with its unit/],
    ['a number of unknown unit', { pinnedCacheTTL: 30 }, /pinnedCacheTTL: "30" is not a duration with its unit/],
    ['a provider name the driver refuses', { providerName: 'azure.v2' }, /providerName: "azure\.v2" is not 1 to 30/],
    ['a word for a boolean', { constructPEMChain: 'maybe' }, /constructPEMChain: "maybe" is not true or false/],
    [
      'a word for a port',
      { linux: { healthzPort: 'http' } },
      /linux\.healthzPort: "http" is not a whole number from 1/,
    ],
    ['a port out of range', { metricsAddr: '65536' }, /metricsAddr: "65536" is not a whole number from 1024 to 65535/],
    [
      'a number for a tag',
      { linux: { image: { tag: 1.1 } } },
      /linux\.image\.tag: "1\.1" is not text; write it in quotes/,
    ],
    [
      'a boolean for an annotation',
      { linux: { podAnnotations: { a: true } } },
      /podAnnotations: .* value of "a" in quotes/,
    ],
    [
      'a policy that is none',
      { certificatePolicy: 'strict' },
      /certificatePolicy: "strict" is not one of warn, enforce/,
    ],
    ['a list for a map', { linux: { resources: [] } }, /linux\.resources: the value is not a map/],
    ['names in place of maps', { imagePullSecrets: ['a'] }, /imagePullSecrets: the value is not a list of maps/],
    ['a value without its flag', { extraArgs: ['-v', '5'] }, /extraArgs: the item "5" is not one flag with its value/],
  ])('refuses %s with a message', (_name, values, message) => {
    expect(refusal(withImage(values))).toMatch(message);
  });

  test.each(Object.entries(settings.values).filter(([, { within }]) => within !== undefined))(
    'leaves out the parts of %s that are null, and refuses those of another kind',
    (path, { within = {} }) => {
      const given = (part: unknown) => {
        const parts: Tree = Object.fromEntries(Object.keys(within).map((name) => [name, part]));
        return path.split('.').reduceRight<Tree>((inner, name) => ({ [name]: inner }), parts);
      };
      expect([...render(given(null))]).toEqual([...render()]);
      expect(refusal(withImage(given(1)))).toContain(`${path}: the value is not a map in which `);
    },
  );

  test('names every mistake at once', () => {
    const told = refusal({ windows: { enabled: true }, enableArcExtension: true, metricsAddr: '8989' });
    expect(told.match(/^ {2}- /gm)).toHaveLength(4);
    const strays = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`stray${index}`, 1]));
    expect(refusal(strays)).toMatch(/- and 10 more$/m);
  });
});
