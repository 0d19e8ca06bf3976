import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { type Lab, reader, SUBJECT, secret, startLab, TENANT, textOf, workload } from '../support/azure.ts';
import { startProxy, type TunnelProxy } from '../support/proxy.ts';

/** Cloud, host of its logins, domain of its vaults. */
const CLOUDS = [
  ['AzurePublicCloud', 'login.microsoftonline.com', 'vault.azure.net'],
  ['AzureUSGovernmentCloud', 'login.microsoftonline.us', 'vault.usgovcloudapi.net'],
  // Entra ID in China has two names, and its documentation now has this one.
  ['AzureChinaCloud', 'login.partner.microsoftonline.cn', 'vault.azure.cn'],
] as const;

let proxy: TunnelProxy;
let lab: Lab | undefined;

// A proxy connects the names of each cloud to the emulator.
beforeEach(async () => {
  proxy = await startProxy(() => lab?.emulator.port ?? 0);
  process.env.HTTPS_PROXY = proxy.url;
});
afterEach(async () => {
  delete process.env.HTTPS_PROXY;
  await lab?.close();
  await proxy.close();
});

describe.each(CLOUDS)('the first read in %s', (cloudName, login, suffix) => {
  it.each([
    ['service principal', () => reader()],
    [
      'workload identity',
      ({ emulator }: Lab) =>
        workload(emulator.issueServiceAccountToken({ subject: SUBJECT, audience: WORKLOAD_IDENTITY_AUDIENCE })),
    ],
  ])('takes one request to Entra ID and one to the vault: %s', async (_, identity) => {
    lab = await startLab({ hosts: [login, `*.${suffix}`], cloudName });
    expect(textOf(await lab.open(identity(lab)).get(secret('s0'), lab.context()))).toBe('value-0');
    const requests = lab.emulator.requests.map(({ method, host, path }) => `${method} ${host}${path.split('?')[0]}`);
    expect(requests).toEqual([
      `POST ${login}/${TENANT}/oauth2/v2.0/token`,
      expect.stringContaining(`GET lab-vault.${suffix}/secrets/s0`),
    ]);
  });
});
