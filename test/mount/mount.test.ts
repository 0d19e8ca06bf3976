import { setImmediate as nextImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type ErrorCode, ProviderError } from '../../src/base/errors.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { type MountOutcome, type ObjectExpiry, silentTelemetry } from '../../src/base/telemetry.ts';
import type { MountCall } from '../../src/mount/handler.ts';
import { createMount } from '../../src/mount/mount.ts';
import type { FetchContext, FetchedObject, ObjectRef } from '../../src/mount/ports.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { error, failureOf, fetchedSecret, type KeptLog, keptLog, LISTS_NOTHING } from '../support/mount.ts';
import { issueChain } from '../support/pki.ts';

type Get = (ref: ObjectRef, context: FetchContext) => Promise<FetchedObject> | FetchedObject;

/** Returns the handler with a vault that gives these results. */
function mountOf(get: Get) {
  const { log, lines } = keptLog();
  const outcomes: MountOutcome[] = [];
  const expiries: ObjectExpiry[] = [];
  const missing: string[] = [];
  const opened: unknown[] = [];
  const mount = createMount({
    vaults: {
      tenantOf: () => Promise.reject(new Error('every manifest here names its tenant')),
      open(volume) {
        opened.push(volume.vaultUrl);
        return {
          ...LISTS_NOTHING,
          get: async (ref, context) => get(ref, context),
        };
      },
    },
    defaults: { cloudName: 'AzurePublicCloud', orderChain: true, split: false },
    readCloudFile: async () => ({ problem: 'no file here' }),
    certificatePolicy: 'warn',
    telemetry: {
      ...silentTelemetry,
      objectMissing: (reason) => void missing.push(reason),
      mountFinished: (outcome) => {
        outcomes.push(outcome);
        expiries.push(...outcome.expiries);
      },
    },
    clock: systemClock,
    sweeper: new Sweeper(systemClock),
    log,
  });
  return { mount, lines, outcomes, expiries, opened, missing };
}

const attributes = {
  keyvaultName: 'kv-name',
  tenantID: 'tenant',
  objects: 'array:\n  - {objectName: a, objectType: secret}\n  - {objectName: b, objectType: secret}\n',
  secretProviderClass: 'web',
  'csi.storage.k8s.io/pod.name': 'web-0',
  'csi.storage.k8s.io/pod.namespace': 'prod',
};
const inputOf = (more: Readonly<Record<string, string>> = {}) => ({
  attributes: JSON.stringify({ ...attributes, ...more }),
  secrets: '{"clientid":"c","clientsecret":"s"}',
  permission: '420',
});
const patient = (): MountCall => ({ timeoutMs: 60_000, signal: new AbortController().signal });
/** Returns the lines that are logged at every level. */
const loud = (lines: KeptLog['lines']) => lines.filter(({ level }) => level !== 'debug');
const value: Get = ({ name }) => fetchedSecret(`value of ${name}`);

/** Returns the number of turns of the event loop until work is complete. Opening a PFX takes about twenty. */
async function turnsOf(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let done = false;
  const ended = work.finally(() => {
    done = true;
  });
  for (; !done; turns++) await nextImmediate();
  await ended;
  return turns;
}

describe('a Mount', () => {
  it('answers every file with its object version', async () => {
    const { mount, opened } = mountOf(value);
    const { files, objectVersions } = await mount(inputOf(), patient());
    expect(files.map(({ path, mode, contents }) => [path, mode, contents.toString()])).toEqual([
      ['a', 0o644, 'value of a'],
      ['b', 0o644, 'value of b'],
    ]);
    expect(objectVersions.map(({ id }) => id)).toEqual(['secret/a', 'secret/b']);
    expect(opened).toEqual(['https://kv-name.vault.azure.net']);
  });

  it('counts each missing object by its reason, and no other failure', async () => {
    const refusal = (code: ErrorCode, remoteCode?: string) =>
      new ProviderError(code, code, {
        details: { phase: 'vault', ...(remoteCode === undefined ? {} : { remoteCode }) },
      });
    const refusals: Readonly<Record<string, ProviderError>> = {
      a: refusal('ERR_NOT_FOUND', 'SecretNotFound'),
      b: refusal('ERR_DISABLED', 'SecretDisabled'),
    };
    const objects =
      'array:\n  - {objectName: a, objectType: secret, optional: true}\n  - {objectName: b, objectType: secret, optional: true}\n';
    const { mount, missing, lines } = mountOf(({ name }) => Promise.reject(refusals[name]));
    expect(await mount(inputOf({ objects }), patient())).toMatchObject({
      files: [],
      objectVersions: [
        { id: 'secret/a', version: 'missing' },
        { id: 'secret/b', version: 'missing' },
      ],
    });
    expect(missing).toEqual(['not_found', 'disabled']);
    expect(lines.map(({ message }) => message)).toContain('All objects are optional and missing');
    for (const error of [refusal('ERR_NOT_FOUND'), refusal('ERR_FORBIDDEN', 'Forbidden'), refusal('ERR_TIMEOUT')]) {
      const failing = mountOf(() => Promise.reject(error));
      expect((await failureOf(failing.mount(inputOf({ objects }), patient()))).code).toBe(error.code);
      expect(failing.missing).toEqual([]);
    }
  });

  it('opens no vault where anything is wrong with the request or the manifest', async () => {
    const { mount, opened } = mountOf(value);
    const wrong = [
      { ...inputOf(), attributes: '{' },
      { ...inputOf(), secrets: '' },
      { ...inputOf(), permission: 'x' },
      inputOf({ objects: 'array: []' }),
      inputOf({ keyvaultName: '' }),
    ];
    for (const input of wrong) await failureOf(mount(input, patient()));
    expect(opened).toEqual([]);
  });

  it('takes up what earlier ones made of the same content', async () => {
    const { leaf, certificates } = await issueChain();
    const form = { ...PKCS12_FORMS.keyVault, password: null, seed: Buffer.from('seed') };
    const pfx = (await writePkcs12({ key: leaf.key, certificates }, form)).toString('base64');
    const parts = { contentType: 'application/x-pkcs12', certificateBacked: true };
    const { mount } = mountOf(() => fetchedSecret(pfx, parts));
    const turns = [await turnsOf(mount(inputOf(), patient())), await turnsOf(mount(inputOf(), patient()))];
    expect(turns[1]).toBeLessThan((turns[0] ?? 0) / 2);
  });

  it('answers when the caller goes away, though the vault does not', async () => {
    const caller = new AbortController();
    const seen: AbortSignal[] = [];
    const { mount } = mountOf((_, { signal }) => {
      seen.push(signal);
      return new Promise(() => {});
    });
    const work = mount(inputOf(), { ...patient(), signal: caller.signal });
    await expect.poll(() => seen.length).toBe(2);
    caller.abort();
    expect((await failureOf(work)).code).toBe('ERR_CANCELLED');
    expect(seen.every(({ aborted }) => aborted)).toBe(true);
  });

  it('answers at its bound, though the vault does not', async () => {
    const { mount, lines } = mountOf(() => new Promise(() => {}));
    const { code } = await failureOf(mount(inputOf(), { ...patient(), timeoutMs: 150 }));
    expect(code).toBe('ERR_TIMEOUT');
    expect(loud(lines)).toMatchObject([{ level: 'error', fields: { code: 'ERR_TIMEOUT' } }]);
  });

  it('survives a defect, whose text stays out of answer and log; the log has its place', async () => {
    const { mount, lines } = mountOf(() => {
      throw new TypeError('choked on hunter2');
    });
    const { message, code } = await failureOf(mount(inputOf(), patient()));
    expect(code).toBe('ERR_INTERNAL');
    expect(message + JSON.stringify(lines)).not.toContain('hunter2');
    const said = loud(lines);
    expect(said.map((line) => line.message)).toEqual(['Mount failed', 'Defect', 'Defect']);
    expect(said[1]?.fields.stack).toMatch(/^TypeError\n\s+at .*mount\.test\.ts/);
  });
});

describe('what is said of a Mount', () => {
  it('is one line with pod, namespace, objects, files, time and code', async () => {
    const { mount, lines } = mountOf(value);
    await mount(inputOf(), patient());
    const [said, ...more] = loud(lines);
    expect(more).toEqual([]);
    expect(said).toMatchObject({
      level: 'info',
      message: 'Mounted',
      fields: { pod: 'web-0', namespace: 'prod', secretProviderClass: 'web', objects: 2, files: 2, code: 'OK' },
    });
    expect(said?.fields.ms).toBeTypeOf('number');
  });

  it('is one line where it fails, with the same fields and the facts of the error', async () => {
    const { mount, lines } = mountOf(() => {
      throw error('ERR_FORBIDDEN', 'closed');
    });
    await failureOf(mount(inputOf(), patient()));
    expect(loud(lines)).toMatchObject([
      {
        level: 'error',
        message: 'Mount failed',
        fields: {
          pod: 'web-0',
          namespace: 'prod',
          objects: 2,
          files: 0,
          code: 'ERR_FORBIDDEN',
          error: expect.stringContaining('closed'),
        },
      },
    ]);
  });

  it('is a line for each object too where they do not all fit into one', async () => {
    const { mount, lines } = mountOf(({ name }) => {
      throw error('ERR_FORBIDDEN', `closed to ${name}: ${'x'.repeat(400)}`);
    });
    const names = Array.from({ length: 40 }, (_, index) => `object-${index}`);
    const objects = JSON.stringify({
      array: names.map((objectName) => JSON.stringify({ objectName, objectType: 'secret' })),
    });
    await failureOf(mount(inputOf({ objects }), patient()));
    const [whole, ...each] = loud(lines);
    expect(whole).toMatchObject({ message: 'Mount failed', fields: { objects: 40, pod: 'web-0' } });
    expect(each).toHaveLength(40);
    for (const [index, name] of names.entries()) {
      expect(each[index]).toMatchObject({
        level: 'error',
        message: 'Object failed',
        fields: {
          namespace: 'prod',
          pod: 'web-0',
          secretProviderClass: 'web',
          object: `objectType:secret, objectName:${name}, objectVersion:`,
          code: 'ERR_FORBIDDEN',
          error: expect.stringContaining(`closed to ${name}:`),
        },
      });
    }
  });

  it('is one line where not even the pod is known', async () => {
    const { mount, lines, outcomes } = mountOf(value);
    await failureOf(mount({ ...inputOf(), attributes: '{"secret' }, patient()));
    expect(lines).toMatchObject([{ level: 'error', fields: { code: 'ERR_BAD_REQUEST' } }]);
    expect(outcomes).toEqual([]);
  });

  it('has the objects’ text at the debug level alone', async () => {
    const { mount, lines } = mountOf(value);
    await mount(inputOf(), patient());
    expect(lines.filter((line) => JSON.stringify(line).includes('objectName')).map(({ level }) => level)).toEqual([
      'debug',
    ]);
  });

  it('has notes on the manifest once a volume', async () => {
    const { mount, lines } = mountOf(value);
    const notes = () => lines.filter(({ fields }) => String(fields.detail).includes('keyVaultName')).length;
    const odd = inputOf({ keyVaultName: 'x' });
    await mount(odd, patient());
    await mount(odd, patient());
    expect(notes()).toBe(1);
    await mount(inputOf({ keyVaultName: 'x', 'csi.storage.k8s.io/pod.name': 'web-1' }), patient());
    expect(notes()).toBe(2);
  });

  it('names the class of each volume, whatever the driver leaves out at a rotation', async () => {
    const failing = new Set<string>();
    const { mount, lines, outcomes } = mountOf(({ name }) => {
      if (failing.has(name)) throw error('ERR_FORBIDDEN', 'closed');
      return fetchedSecret(name);
    });
    const at = (volume: string) => `/var/lib/kubelet/pods/1/volumes/kubernetes.io~csi/${volume}/mount`;
    const call = (volume: string, secretProviderClass: string) =>
      mount({ ...inputOf({ secretProviderClass }), targetPath: at(volume) }, patient());
    await call('one', 'class-1');
    await call('two', 'class-2');
    await call('one', '');
    await call('three', '');
    failing.add('a');
    await failureOf(call('two', ''));
    expect(outcomes.map(({ volume, secretProviderClass, ok }) => [volume, secretProviderClass, ok])).toEqual([
      [at('one'), 'class-1', true],
      [at('two'), 'class-2', true],
      [at('one'), 'class-1', true],
      [at('three'), 'three', true],
      [at('two'), 'class-2', false],
    ]);
    expect(loud(lines).map(({ fields }) => fields.secretProviderClass)).toEqual(
      outcomes.map(({ secretProviderClass }) => secretProviderClass),
    );
  });

  it('has versions that changed, volumes told apart by their target path where a driver names no class', async () => {
    let version = 'v1';
    const { mount, lines } = mountOf(({ name }) => fetchedSecret(name, { version }));
    const changes = () =>
      lines.filter(({ message }) => message === 'Object version changed').map(({ fields }) => fields);
    const [first, second] = ['/pods/1/volumes/a/mount', '/pods/1/volumes/b/mount'];
    await mount({ ...inputOf(), targetPath: first }, patient());
    version = 'v2';
    await mount({ ...inputOf(), targetPath: second }, patient());
    expect(changes()).toEqual([]);
    const rotation = inputOf({ secretProviderClass: '' });
    await mount({ ...rotation, targetPath: first }, patient());
    expect(changes()).toMatchObject([
      { object: 'secret/a', from: 'v1', to: 'v2' },
      { object: 'secret/b', from: 'v1', to: 'v2' },
    ]);
  });

  it('has a warning of a large answer once a volume', async () => {
    const { mount, lines } = mountOf(() => fetchedSecret('x'.repeat(700_000)));
    await mount(inputOf(), patient());
    await mount(inputOf(), patient());
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it('is counted for its pod, as a success and as a failure', async () => {
    let fails = false;
    const { mount, outcomes } = mountOf((ref, context) => {
      if (fails) throw error('ERR_VAULT');
      return value(ref, context);
    });
    await mount(inputOf(), patient());
    fails = true;
    await failureOf(mount(inputOf(), patient()));
    const of = { namespace: 'prod', pod: 'web-0', secretProviderClass: 'web' };
    expect(outcomes).toMatchObject([
      { ...of, ok: true },
      { ...of, ok: false },
    ]);
  });

  it('has the expiry of each object that carries one', async () => {
    const { mount, expiries } = mountOf(({ name }) =>
      fetchedSecret('x', { expiresAt: name === 'a' ? 5000 : undefined }),
    );
    await mount(inputOf(), patient());
    expect(expiries).toEqual([
      { namespace: 'prod', pod: 'web-0', objectType: 'secret', objectName: 'a', expiresAt: 5000 },
    ]);
  });
});
