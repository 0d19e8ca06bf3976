import { describe, expect, it } from 'vitest';
import { runStatus, type StatusOptions } from '../../src/cli/kubectl/status.ts';
import type { MountHandler } from '../../src/mount/handler.ts';
import { recordedIo } from '../support/cli.ts';
import { undocumentedFields } from '../support/markdown.ts';
import { clock, event, mounted, mountFailed, NOW, node, pod, spc, useCluster } from './cluster.ts';

const { stub, options } = useCluster();

/** Answers each Mount with one version, as the provider would, and counts them. */
function vault(version: string) {
  const asked: string[] = [];
  const mount: MountHandler = async ({ attributes }) => {
    asked.push(JSON.parse(attributes)['csi.storage.k8s.io/pod.namespace']);
    return {
      files: [{ path: 'db-password', mode: 0o644, contents: Buffer.from('x') }],
      objectVersions: [{ id: 'secret/db-password', version }],
      memory: { bytes: 1, release: () => {} },
    } as unknown as Awaited<ReturnType<MountHandler>>;
  };
  return { asked, directMount: async () => mount };
}

async function status(changes: Partial<StatusOptions> = {}, deps = vault('v9')) {
  const io = recordedIo();
  const all = { ...options(), cloudName: 'AzurePublicCloud', ...changes };
  const code = await runStatus(all, { directMount: deps.directMount, clock }, io);
  return { code, out: io.printed.stdout, err: io.printed.stderr };
}

/** Metrics of the provider on the node. */
const METRICS = `# TYPE akv_csi_object_expiration_timestamp_seconds gauge
akv_csi_object_expiration_timestamp_seconds{namespace="shop",pod="web-0",object_type="secret",object_name="db-password"} ${NOW / 1000 + 86_400 * 12}
akv_csi_mount_consecutive_failures{namespace="shop",pod="web-1",secretproviderclass="web"} 4
akv_csi_mounts_in_flight 0
`;

describe('kubectl akv status', () => {
  it('shows the pods of each class, their versions, the expiry and the last failure', async () => {
    stub().objects.push(
      ...node(),
      spc('web'),
      spc('idle'),
      spc('next', {}, 'azure-next'),
      { ...spc('other'), spec: { provider: 'aws', parameters: { objects: '' } } },
      mounted('web-0', 'v2', '2026-11-29T11:00:00Z'),
      mounted('web-1', 'v1', '2026-11-29T10:00:00Z'),
      pod('web-2'),
      mountFailed('web-2', 'NotFound', 'no such secret'),
      pod('lost-0', { className: 'lost' }),
      event(
        'lost-0',
        'FailedMount',
        'MountVolume.SetUp failed for volume "certs" : secretproviderclasses "lost" not found',
      ),
    );
    stub().metrics.set('akv-n1', METRICS);
    const { code, out, err } = await status();
    expect(out).toBe(`NAMESPACE  CLASS           PODS  VERSIONS           EXPIRES  LAST FAILURE
shop       idle            0/0   -                  -        -
shop       lost (missing)  0/1   -                  -        5m ago, pod lost-0: MountVolume.SetUp failed for volume "certs" : secretproviderclasses "lost" not found
shop       next            0/0   -                  -        -
shop       web             2/3   outdated in 1 pod  in 12d   pod web-1 failed 4 times in a row
`);
    expect([code, err]).toEqual([0, 'note: the cause and the next step: kubectl akv why lost-0 -n shop\n']);
  });

  it('shows each object of each pod with -o wide', async () => {
    stub().objects.push(...node(), spc('web'), mounted('web-0', 'v2', '2026-11-29T11:00:00Z'));
    stub().objects.push(
      mounted('web-1', 'v1', '2026-11-29T10:00:00Z'),
      pod('web-2'),
      mountFailed('web-2', 'NotFound', 'gone'),
    );
    stub().metrics.set('akv-n1', METRICS);
    const { out } = await status({ output: 'wide' });
    expect(out).toBe(
      `NAMESPACE  CLASS  POD    NODE  OBJECT              VERSION      CURRENT  EXPIRES  LAST FAILURE
shop       web    web-0  n1    secret/db-password  v2           yes      in 12d   -
shop       web    web-1  n1    secret/db-password  v1           v2       -        pod web-1 failed 4 times in a row
shop       web    web-2  n1    -                   not mounted  -        -        5m ago, pod web-2: gone
`,
    );
  });

  it.each([
    ['2026-11-29T11:50:00Z', '5m ago, pod web-0: gone: web'],
    ['2026-11-29T11:56:00Z', '-'],
  ])('shows a failure before the volume of %s was mounted no more', async (at, expected) => {
    stub().objects.push(
      spc('web'),
      mounted('web-0', 'v2', at),
      mountFailed('web-0', 'NotFound', 'gone: web'),
      ...node(),
    );
    const { out } = await status();
    expect(out.trimEnd().split(/ {2,}/).at(-1)).toBe(expected);
  });

  it('gives all of it as JSON', async () => {
    stub().objects.push(...node(), spc('web'), mounted('web-0', 'v2', '2026-11-29T11:00:00Z'));
    stub().metrics.set('akv-n1', METRICS);
    const { out } = await status({ output: 'json' });
    expect(JSON.parse(out)).toEqual({
      classes: [
        {
          namespace: 'shop',
          name: 'web',
          exists: true,
          pods: [
            {
              name: 'web-0',
              node: 'n1',
              mounted: true,
              objects: [
                {
                  id: 'secret/db-password',
                  version: 'v2',
                  current: 'v2',
                  fetched: false,
                  expires: '2026-12-11T12:00:00.000Z',
                },
              ],
            },
          ],
        },
      ],
      notes: [],
    });
    expect(undocumentedFields(JSON.parse(out), 'docs/kubectl.md', 'JSON')).toEqual([]);
  });

  it('reads the current versions from the vault with --fetch, once for each class that is mounted', async () => {
    stub().objects.push(spc('web'), spc('idle'), mounted('web-0', 'v2', '2026-11-29T11:00:00Z'), ...node());
    stub().metrics.set('akv-n1', '');
    const deps = vault('v9');
    const { out, err } = await status({ fetch: true, output: 'json' }, deps);
    const [, web] = JSON.parse(out).classes;
    expect(web.pods[0].objects).toEqual([{ id: 'secret/db-password', version: 'v2', current: 'v9', fetched: true }]);
    expect([deps.asked, err]).toEqual([['shop'], '']);
  });

  it('reads all namespaces with -A, page by page', async () => {
    for (let i = 0; i < 600; i++) {
      const one = spc(`c${String(i).padStart(3, '0')}`);
      stub().objects.push({ ...one, metadata: { ...one.metadata, namespace: `n${i % 3}` } });
    }
    const { connections } = stub();
    const { out } = await status({ allNamespaces: true });
    expect(stub().connections - connections).toBeLessThan(stub().requests.length);
    expect(out.split('\n')).toHaveLength(602);
    const pages = stub().requests.filter(({ url }) => url.includes('/secretproviderclasses?'));
    expect(pages.map(({ url }) => new URLSearchParams(url.split('?')[1]).get('continue'))).toEqual([
      null,
      '250',
      '500',
    ]);
    expect((await status()).err).toBe('no SecretProviderClass of the provider in namespace shop\n');
  });

  it.each([
    ['secretproviderclasspodstatuses', 'mounted volumes are left out: '],
    ['/pods', 'pods that wait for their volumes are left out: '],
    ['events', 'events FailedMount are left out: '],
    ['proxy', 'expiry and failing rotations are not all known: the metrics of 1 of 1 providers were not read: '],
  ])('goes on without %s, with a note', async (what, note) => {
    stub().objects.push(...node(), spc('web'), mounted('web-0', 'v2', '2026-11-29T11:00:00Z'));
    stub().metrics.set('akv-n1', METRICS);
    stub().forbidden = new RegExp(what);
    const { code, out, err } = await status();
    expect([code, out.split('\n')[1]]).toEqual([0, expect.stringMatching(/^shop +web /)]);
    expect(err).toContain(`note: ${note}API server `);
    expect(err).toContain('forbidden: User "stub" cannot get or list');
    expect(err).toContain('docs/kubectl.md lists the rights that each command needs');
  });

  it('stops asking providers that do not answer, and counts them', async () => {
    const [driver, csiNode, provider] = node();
    if (driver === undefined || csiNode === undefined || provider === undefined) throw new Error('no node');
    for (let i = 0; i < 60; i++) {
      const at = mounted(`web-${i}`, 'v1', '2026-11-29T11:00:00Z');
      const labels = { 'internal.secrets-store.csi.k8s.io/node-name': `n${i}` };
      const spec = { ...(provider.spec as object), nodeName: `n${i}` };
      stub().objects.push({ ...at, metadata: { ...at.metadata, labels } });
      stub().objects.push({ ...provider, spec, metadata: { ...provider.metadata, name: `akv-n${i}` } });
    }
    stub().objects.push(spc('web'));
    stub().metrics.set('akv-n0', '');
    const { err } = await status();
    expect(err).toMatch(/^note: [^\n]*the metrics of 59 of 60 providers were not read: [^\n]*\n$/);
    expect(stub().requests.filter(({ url }) => url.includes('/proxy/')).length).toBeLessThanOrEqual(1 + 8 + 7);
  });

  it('says what to install, if the cluster does not know the classes', async () => {
    stub().answer = ({ url }, response) => {
      if (!url.includes('secretproviderclasses')) return false;
      response.writeHead(404).end('404 page not found\n');
      return true;
    };
    const { code, err } = await status();
    expect([code, err]).toEqual([1, expect.stringContaining('install the Secrets Store CSI driver')]);
  });
});
