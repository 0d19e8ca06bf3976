import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import type { Identity } from '../../src/spc/model.ts';
import { type Lab, secret, startLab, TENANT, textOf } from '../support/azure.ts';
import { clearImds, setImds } from '../support/imds.ts';
import { issue, keyPem } from '../support/pki.ts';

const CERTIFIED = '66666666-6666-6666-6666-666666666666';
const STACKED = '77777777-7777-7777-7777-777777777777';
const managed = (digit: string) => `${digit.repeat(8)}-0000-0000-0000-000000000000`;

let lab: Lab;
let certificatePem: string;
let keyText: string;
let ecPem: string;

beforeAll(async () => {
  const rsa = await issue({ name: 'client', keyType: 'rsa-2048' });
  const ec = await issue({ name: 'client' });
  certificatePem = rsa.certificate.toString();
  keyText = keyPem(rsa.key);
  ecPem = keyPem(ec.key) + ec.certificate.toString();
  lab = await startLab({
    nmi: true,
    seed: `
tenants:
  - id: "${TENANT}"
    identities:
      - {name: certified, clientId: "${CERTIFIED}", certificates: [${JSON.stringify(certificatePem)}]}
      - {name: one, clientId: "${managed('1')}", managed: {}}
      - {name: two, clientId: "${managed('2')}", managed: {pods: [{namespace: prod, name: web-0}]}}
      - {name: three, clientId: "${managed('3')}", managed: {}}
  - id: adfs
    identities:
      - {name: stacked, clientId: "${STACKED}", secrets: [{value: stack-secret}]}
vaults:
  - name: lab-vault
    tenant: "${TENANT}"
    grants:
      - {identity: certified, secrets: [get]}
      - {identity: one, secrets: [get]}
      - {identity: two, secrets: [get]}
    secrets: [{name: s, value: read}]
  - name: stack-vault
    tenant: adfs
    grants: [{identity: stacked, secrets: [get]}]
    secrets: [{name: s, value: from the stack}]
`,
  });
  setImds(lab.emulator.imdsUrl);
});
beforeEach(() => lab.emulator.requests.clear());
afterEach(() => lab.emulator.faults.clear());
afterAll(() => {
  clearImds();
  return lab.close();
});

const read = (identity: Identity, vault?: string) => lab.open(identity, vault).get(secret('s'), lab.context());

function certified(certificate: string): Identity {
  return {
    kind: 'client-certificate',
    tenantId: TENANT,
    clientId: CERTIFIED,
    certificate: new Secret(certificate),
    password: undefined,
  };
}

describe('a client certificate', () => {
  it('logs in, key and certificate in any order', async () => {
    expect(textOf(await read(certified(certificatePem + keyText)))).toBe('read');
  });

  it('with an EC key is refused here, since Entra takes RSA only', async () => {
    await expect(read(certified(ecPem))).rejects.toMatchObject({
      code: 'ERR_BAD_CONTENT',
      message: expect.stringContaining('RSA'),
    });
    expect(lab.emulator.requests).toEqual([]);
  });

  it('without its key is refused here', async () => {
    await expect(read(certified(certificatePem))).rejects.toMatchObject({ code: 'ERR_BAD_CONTENT' });
  });
});

describe('the tenant adfs', () => {
  it('logs in at the authority of the cloud file', async () => {
    const clientSecret = new Secret('stack-secret');
    const identity: Identity = { kind: 'service-principal', tenantId: 'adfs', clientId: STACKED, clientSecret };
    expect(textOf(await read(identity, 'stack-vault'))).toBe('from the stack');
    const paths = lab.emulator.requests.filter(({ kind }) => kind === 'entra').map(({ path }) => path);
    expect(paths.every((path) => path.startsWith('/adfs/'))).toBe(true);
  });
});

describe('a managed identity', () => {
  it('asks IMDS once, by its client ID, under our name, past every proxy', async () => {
    process.env.HTTP_PROXY = 'http://127.0.0.1:1';
    try {
      const identity: Identity = { kind: 'managed-identity', clientId: managed('1') };
      await Promise.all([read(identity), read(identity)]);
      expect(textOf(await read(identity))).toBe('read');
    } finally {
      delete process.env.HTTP_PROXY;
    }
    const asked = lab.emulator.requests.filter(({ kind }) => kind === 'imds');
    expect(asked).toHaveLength(1);
    expect(asked[0]?.query).toContain(`client_id=${managed('1')}`);
    expect(asked[0]?.userAgent).toMatch(/^csi-secrets-store\/0\.0\.0 \(linux\/amd64\)/);
  });

  it('asks again where the vault refuses its token, though that lives on', async () => {
    const identity: Identity = { kind: 'managed-identity', clientId: managed('1') };
    await read(identity);
    lab.emulator.requests.clear();
    const headers = { 'www-authenticate': 'Bearer authorization="https://login.localhost/x", resource=""' };
    lab.emulator.faults.add({ on: 'vault', count: 1, action: { kind: 'answer', status: 401, headers } });
    await Promise.allSettled([read(identity)]);
    expect(lab.emulator.requests.filter(({ kind }) => kind === 'imds')).toHaveLength(1);
  });

  it('that the node does not have is named, with what to do', async () => {
    await expect(read({ kind: 'managed-identity', clientId: managed('9') })).rejects.toMatchObject({
      code: 'ERR_AUTHENTICATION',
      details: { phase: 'imds', httpStatus: 400 },
      message: expect.stringMatching(
        /Cannot log in as managed identity 9.*assign the identity.*; it says: .*Identity not found/,
      ),
    });
  });

  it('not named, where the node has several, is an error that says where to name it', async () => {
    await expect(read({ kind: 'managed-identity', clientId: '' })).rejects.toMatchObject({
      code: 'ERR_AUTHENTICATION',
      message: expect.stringMatching(/userAssignedIdentityID.*; it says: .*Multiple user assigned identities exist/),
    });
  });

  it('stops waiting for IMDS when the caller goes', async () => {
    lab.emulator.faults.add({ on: 'imds', action: { kind: 'hang' } });
    const controller = new AbortController();
    const context = lab.context({ signal: controller.signal });
    const pending = lab.open({ kind: 'managed-identity', clientId: managed('3') }).get(secret('s'), context);
    await expect.poll(() => context.progress.current()).toMatchObject([{ phase: 'imds', host: 'IMDS' }]);
    controller.abort(new Error('gone'));
    await expect(pending).rejects.toThrow('gone');
    expect(context.progress.current()).toEqual([]);
  });
});

describe('pod identity', () => {
  const pod = (podName: string): Identity => ({ kind: 'pod-identity', podName, podNamespace: 'prod' });

  it('asks NMI by name and namespace of the pod, under our name', async () => {
    expect(textOf(await read(pod('web-0')))).toBe('read');
    const asked = lab.emulator.requests.filter(({ kind }) => kind === 'nmi');
    expect(asked).toHaveLength(1);
    expect(asked[0]?.userAgent).toMatch(/^csi-secrets-store\/0\.0\.0 \(linux\/amd64\)/);
  });

  it("explains NMI's refusal in the official provider's words", async () => {
    await expect(read(pod('unknown'))).rejects.toMatchObject({
      code: 'ERR_AUTHENTICATION',
      details: { phase: 'nmi', httpStatus: 404 },
      message: expect.stringContaining('nmi response failed with status code: 404, response body: no azure assigned'),
    });
  });

  it.each([{ clientid: '' }, { token: null }, { token: { access_token: '' } }])(
    'takes no answer without %j',
    async (set) => {
      lab.emulator.faults.add({
        on: 'nmi',
        action: { kind: 'answer', status: 200, body: { clientid: 'x', token: {}, ...set } },
      });
      await expect(read(pod('web-1'))).rejects.toThrow(
        'nmi did not return expected values in response: token and clientid',
      );
    },
  );
});
