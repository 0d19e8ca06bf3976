import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { type Lab, reader, SUBJECT, secret, startLab, TENANT, textOf, workload } from '../support/azure.ts';

/** Cloud, host of its logins, domain of its vaults. */
const CLOUDS = [
  ['AzurePublicCloud', 'login.microsoftonline.com', 'vault.azure.net'],
  ['AzureUSGovernmentCloud', 'login.microsoftonline.us', 'vault.usgovcloudapi.net'],
  // Entra ID in China has two names, and its documentation now has this one.
  ['AzureChinaCloud', 'login.partner.microsoftonline.cn', 'vault.azure.cn'],
] as const;

let proxy: http.Server;
let lab: Lab | undefined;

// A proxy connects the names of each cloud to the emulator.
beforeEach(async () => {
  proxy = http.createServer();
  proxy.on('connect', (_, socket) => {
    const onward = connect(lab?.emulator.port ?? 0, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  process.env.HTTPS_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});
afterEach(async () => {
  delete process.env.HTTPS_PROXY;
  await lab?.close();
  await new Promise((resolve) => proxy.close(resolve));
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
