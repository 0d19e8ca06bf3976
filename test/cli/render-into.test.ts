import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { runRender } from '../../src/cli/render.ts';
import type { RenderCommandOptions } from '../../src/cli/render-options.ts';
import { RESOURCE, workload } from '../render/into/streams.ts';
import { recordedIo } from '../support/cli.ts';

const DEPS = { directMount: () => Promise.reject(new Error('unused')) };
const INTO: RenderCommandOptions = { format: 'manifests', into: true };

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'akv-into-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function run(files: readonly string[], options: Partial<RenderCommandOptions>, stdin: string | Buffer = '') {
  const io = recordedIo({ stdin });
  const code = await runRender(files, { ...INTO, ...options }, io, DEPS);
  return { code, ...io.printed };
}

describe('akv-csi render --into', () => {
  it('reads standard input without a file, and prints remarks to stderr', async () => {
    const { code, stdout, stderr } = await run([], {}, `${workload('BrokerListener/front')}---\n${RESOURCE}`);
    expect(code).toBe(0);
    expect(parseAllDocuments(stdout)).toHaveLength(3);
    expect(stderr).toMatch(/^<stdin>:\d+: note: drivers up to v1.5 .*\n$/);
  });

  it('reads files and standard input as one stream', async () => {
    const files = ['examples/broker-listener.yaml', '-'];
    const { code, stdout } = await run(files, {}, workload('BrokerListener/tls-listener-manual'));
    expect(code).toBe(0);
    expect(stdout.startsWith(readFileSync('examples/broker-listener.yaml', 'utf8'))).toBe(true);
    expect(parseAllDocuments(stdout)).toHaveLength(3);
  });

  it('takes provider, path, file names and pods of its options', async () => {
    const files = ['examples/broker-authentication.yaml', '-'];
    const options = {
      provider: 'azure-next',
      mountPath: '/etc/{name}',
      fileName: ['username-password=passwd'],
      pod: ['deploy/app=BrokerAuthentication/my-authentication'],
    };
    const { stdout } = await run(files, options, workload('x').replace('akv-csi/mount', 'other'));
    expect(stdout).toMatch(/provider: azure-next\n/);
    expect(stdout).toMatch(/fileName: passwd\n/);
    expect(stdout).toMatch(/mountPath: \/etc\/my-authentication\n/);
  });

  it('adds classes of resources that it does not print', async () => {
    const resources = ['examples/broker-listener.yaml'];
    const items = 'BrokerListener/tls-listener-manual';
    const { code, stdout } = await run([], { resources }, workload(items));
    expect(code).toBe(0);
    expect(stdout.match(/^kind: .*/gm)).toEqual(['kind: Deployment', 'kind: SecretProviderClass']);
    expect(await run([], { resources }, stdout)).toMatchObject({ code: 0, stdout });
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [parse(workload(items))] });
    expect(JSON.parse((await run([], { resources }, list)).stdout).items).toHaveLength(2);
    expect((await run([], { resources })).stdout).toMatch(/^# From BrokerListener tls-listener-manual, /);
  });

  it('knows classes that it does not print', async () => {
    const io = recordedIo();
    await runRender(['examples/broker-listener.yaml'], { format: 'manifests' }, io, DEPS);
    const file = join(directory, 'classes.yaml');
    writeFileSync(file, io.printed.stdout);
    const { code, stdout } = await run([], { resources: [file] }, workload('BrokerListener/tls-listener-manual'));
    expect([code, stdout.match(/^kind: .*/gm)]).toEqual([0, ['kind: Deployment']]);
    expect(stdout).toContain('            secretProviderClass: broker-listener-tls-listener-manual-tls\n');
  });

  it('adds the container that watches, by options and by the configuration of a function', async () => {
    const files = ['examples/broker-listener.yaml', '-'];
    const pods = workload('BrokerListener/tls-listener-manual');
    const options = { watch: ['deploy/app=HUP mosquitto'], watchImage: 'akv:1' };
    const { code, stdout } = await run(files, options, pods);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/- --process=mosquitto\n(.*\n)*.* shareProcessNamespace: true/),
    ]);
    expect(stdout).toContain('image: akv:1\n');
    expect((await run([], options, stdout)).stdout).toBe(stdout);

    const items = [parse(RESOURCE), parse(workload('BrokerListener/front'))];
    const functionConfig = {
      kind: 'ConfigMap',
      data: { watches: 'deploy/app=http://localhost/x', watchImage: 'akv:1' },
    };
    const list = { apiVersion: 'config.kubernetes.io/v1', kind: 'ResourceList', items, functionConfig };
    const changed = JSON.parse((await run([], {}, JSON.stringify(list))).stdout);
    expect(JSON.stringify(changed.items)).toContain('"--url=http://localhost/x"');
  });

  it('names the option in a mistake about the container that watches', async () => {
    const files = ['examples/broker-listener.yaml', '-'];
    const pods = workload('BrokerListener/tls-listener-manual');
    const wrong = await run(files, { watch: ['deploy/app=HOP x'] }, pods);
    expect(wrong).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('--watch deploy/app: item "HOP x":'),
    });
    const absent = await run(files, { watch: ['deploy/other=x'] }, pods);
    expect(absent.stderr).toContain('error: --watch deploy/other: there is no such workload in the stream');
    const form = await run(files, { watch: ['x'] }, pods);
    expect(form).toMatchObject({ code: 2, stderr: expect.stringContaining('such as deploy/mosquitto=HUP mosquitto') });
    for (const alone of [{ watch: ['a/b=c'] }, { watchImage: 'x' }])
      expect((await run(files, { ...alone, into: false }, pods)).stderr).toMatch(/--watch(-image)? needs --into/);
  });

  it('gives the Deployment of examples/ its volumes and the container, and changes nothing the second time', async () => {
    const files = ['examples/broker-listener.yaml', 'examples/mosquitto.yaml'];
    const options = { directoryId: '11111111-1111-1111-1111-111111111111' };
    const first = await run(files, options);
    const deployment = parseAllDocuments(first.stdout)
      .map((one) => one.toJS())
      .find(({ kind }) => kind === 'Deployment');
    const { containers, volumes } = deployment.spec.template.spec;
    expect(volumes.map(({ name }: { name: string }) => name)).toEqual([
      'conf',
      'broker-listener-tls-listener-manual-tls',
      'mosquitto-passwords',
    ]);
    expect(containers[1].args.slice(0, 2)).toEqual(['/etc/mosquitto/tls', '/etc/mosquitto/passwords']);
    expect((await run([], options, first.stdout)).stdout).toBe(first.stdout);
  });

  it('takes the options of a KRM function from its configuration', async () => {
    const resource = parse(RESOURCE);
    const functionConfig = { kind: 'ConfigMap', data: { provider: 'azure-next', syncSecrets: 'true' } };
    const list = { apiVersion: 'config.kubernetes.io/v1', kind: 'ResourceList', items: [resource], functionConfig };
    const { code, stdout } = await run([], {}, JSON.stringify(list));
    expect([code, JSON.parse(stdout).items[1].spec]).toMatchObject([
      0,
      { provider: 'azure-next', secretObjects: [{}] },
    ]);
    const wrong = { ...list, functionConfig: { kind: 'ConfigMap', data: { provider: '', x: 'y' } } };
    expect(await run([], {}, JSON.stringify(wrong))).toMatchObject({ code: 2, stdout: '' });
  });

  it('prints nothing after a mistake, and the mistake on one printable line', async () => {
    const { code, stdout, stderr } = await run([], {}, `${workload('"BrokerListener/front"', '"a\\u001b[31m"')}---\n`);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('<stdin>:2: error: Deployment a\\x1b[31m: annotation akv-csi/mount: item ');
    expect(stderr.split('\n')).toHaveLength(2);
  });

  it.each([
    ['--format volumes', { format: 'volumes' as const }, '--format volumes and --into exclude each other'],
    [
      'a pod without items',
      { pod: ['deploy/app'] },
      '--pod "deploy/app": the form is [NAMESPACE/]KIND/NAME=ITEMS, such as',
    ],
    ['a pod without a kind', { pod: ['app=BrokerListener/x'] }, '--pod "app=BrokerListener/x": the form is'],
    ['an option of Secrets', { accountName: 'a' }, '--account-name and --into exclude each other'],
    ['an option of --fetch', { tokenFile: 'a' }, '--token-file and --into exclude each other'],
    ['an empty image', { watchImage: '' }, '--watch-image "" is no image'],
    ['--resources without --into', { into: false, resources: ['a.yaml'] }, '--resources needs --into'],
    ['--pod without --into', { into: false, pod: ['deploy/a=X/b'] }, '--pod needs --into'],
    ['no file without --into', { into: false }, 'name at least one file'],
  ])('refuses %s', async (_, options, message) => {
    const { code, stdout, stderr } = await run([], options);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });

  it('refuses input above its limit without reading the rest', async () => {
    const piece = Buffer.alloc(1024 * 1024, '#');
    let read = 0;
    const io = recordedIo();
    async function* endless() {
      for (;;) {
        read++;
        yield piece;
      }
    }
    const code = await runRender([], INTO, { ...io, stdinBytes: endless }, DEPS);
    expect([code, read]).toEqual([2, 33]);
    expect(io.printed.stderr).toBe('error: cannot read <stdin>: it is larger than 33554432 bytes; give it in parts\n');
  });

  it('refuses input that is not UTF-8, since it could not give it back', async () => {
    const { code, stderr } = await run([], {}, Buffer.from('kind: \xe9\n', 'latin1'));
    expect([code, stderr]).toEqual([2, 'error: cannot read <stdin>: it is not UTF-8; save it as UTF-8\n']);
  });
});
