import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { writePem } from '../../src/pki/pem.ts';
import { startWorld, type World } from '../support/e2e.ts';
import {
  certificateWithoutParameters,
  INFINITE_KEY,
  infiniteCertificate,
  LONG_NUMBER,
  SM2_KEY,
} from '../support/odd-samples.ts';
import {
  type Asked,
  CLIENT,
  checkOutcome,
  KUBELET_MS,
  type Row,
  requestOf,
  seedWith,
  VAULT,
} from '../support/parity.ts';
import { issue, keyPem, newKey } from '../support/pki.ts';

const { FAILED_PRECONDITION } = status;
const PEM = 'application/x-pem-file';
const odd = await issue({ name: 'odd.example', ca: true });
const weak = await issue({ name: 'weak.example', key: newKey('rsa-1024') });
const certificate = odd.certificate.toString();
const infinite = infiniteCertificate(odd);

/** Each of these keys ended the process on Node 20 and 22. */
const KEYS = [
  ['a number longer than its curve', LONG_NUMBER],
  ['a number longer than its curve, on SM2', SM2_KEY],
  ['the point at infinity', INFINITE_KEY],
] as const;
const CERTIFICATES = [
  ['the point at infinity', infinite],
  ['DSA without parameters', certificateWithoutParameters(odd)],
] as const;

let world: World;
beforeAll(async () => {
  const seed = seedWith({ vault: `    certificates: [{name: cert}]` });
  world = await startWorld({ seed, serveArgs: ['--cache-ttl=0s', '--pinned-cache-ttl=0s'] });
});
afterEach(() => world.emulator.faults.clear());
afterAll(() => world.close());

/** Mounts once, and once more to check that the process still runs. */
async function check({ given, ...row }: Omit<Row, 'given'> & { readonly given?: () => void }): Promise<void> {
  given?.();
  const ask = async (asked: Asked) =>
    world.client.mount(requestOf(asked), { deadlineMs: KUBELET_MS }).then(
      (response) => ({ kind: 'mounted', response }) as const,
      ({ code, details }: { code: status; details: string }) => ({ kind: 'failed', code, message: details }) as const,
    );
  checkOutcome(await ask(row), row);
  world.emulator.setSecret(VAULT, 'after', 'well');
  const after = await ask({ objects: [{ objectName: 'after', objectType: 'secret' }] });
  checkOutcome(after, { fact: 'the process lives', files: { after: 'well' } });
  expect(world.provider.child.exitCode ?? world.provider.child.signalCode).toBeNull();
}

const set = (name: string, value: string, contentType?: string) => () => {
  world.emulator.setSecret(VAULT, name, value, contentType === undefined ? {} : { contentType });
  if (contentType === undefined) return;
  const kid = `${world.emulator.vaultUrl(VAULT)}/keys/${name}/0123456789abcdef0123456789abcdef`;
  world.emulator.faults.add({ on: 'vault', object: name, path: '/secrets/', action: { kind: 'edit', set: { kid } } });
};
const keyVault = (field: object): Asked['parameters'] => ({
  keyvaultName: undefined,
  tenantID: undefined,
  keyVault: stringify({
    vault: {
      name: VAULT,
      directoryId: '11111111-1111-1111-1111-111111111111',
      credentials: { servicePrincipalLocalSecretName: 'sp' },
    },
    ...field,
  }),
});
const secret = { objectName: 'c', objectType: 'secret' };

describe.each(KEYS)('a key with %s', (_, key) => {
  it('as the certificate that the pod logs in with', () =>
    check({
      fact: '',
      secrets: { clientid: CLIENT, clientcertificate: key + certificate },
      objects: [secret],
      fails: { code: FAILED_PRECONDITION, says: ['clientcertificate', 'do not belong together'] },
    }));

  it('in a secret that files are made of', () =>
    check({
      fact: '',
      given: set('c', key),
      objects: [{ ...secret, files: { privateKey: 'tls.key' } }],
      fails: { code: FAILED_PRECONDITION, says: ['"c"', 'do not belong together'] },
    }));

  it.each([key, key + certificate])('behind a certificate, passed on as it is', (value) =>
    check({ fact: '', given: set('c', value, PEM), objects: [secret], files: { c: value } }),
  );

  it('in a secret of CA certificates', () =>
    check({
      fact: '',
      given: set('ca', certificate + key),
      parameters: keyVault({ vaultCaChainCert: { name: 'ca' } }),
      fails: { code: FAILED_PRECONDITION, says: ['vaultCaChainCert', 'do not belong together'] },
    }));
});

describe.each(CERTIFICATES)('a certificate with %s', (_, der) => {
  const pem = writePem('CERTIFICATE', der);

  it('beside the key that the pod logs in with', () =>
    check({
      fact: '',
      secrets: { clientid: CLIENT, clientcertificate: keyPem(newKey('rsa-2048')) + pem },
      objects: [secret],
      fails: { code: FAILED_PRECONDITION, says: ['clientcertificate', 'does not belong to the certificate'] },
    }));

  it('behind a certificate, passed on as it is', () =>
    check({ fact: '', given: set('c', pem, PEM), objects: [secret], files: { c: pem } }));

  it('as the certificate itself', () =>
    check({
      fact: '',
      given: () =>
        world.emulator.faults.add({
          on: 'vault',
          object: 'cert',
          action: { kind: 'edit', set: { cer: der.toString('base64') } },
        }),
      objects: [{ objectName: 'cert', objectType: 'cert' }],
      files: { cert: pem },
    }));

  it('in a secret of CA certificates', () =>
    check({
      fact: '',
      given: set('ca', certificate + pem),
      parameters: keyVault({ vaultCaChainCert: { name: 'ca' } }),
      files: { 'ca.crt': certificate + pem },
    }));
});

it('a key too short to log in with is refused in plain words', () =>
  check({
    fact: '',
    secrets: { clientid: CLIENT, clientcertificate: keyPem(weak.key) + weak.certificate },
    objects: [secret],
    fails: { code: FAILED_PRECONDITION, says: ['clientcertificate', '1024', '2048'] },
  }));
