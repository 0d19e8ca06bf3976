import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { NODE_PUBLISH_SECRET, TENANT } from '../../src/cli/demo/fixtures.ts';
import { readManifests } from '../../src/driver/manifests.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { mountInto, startWorld, type World } from '../support/e2e.ts';

const SEED = `
tenants:
  - id: "${TENANT}"
    identities: [{name: app, clientId: "${NODE_PUBLISH_SECRET.clientid}", secrets: [{value: ${NODE_PUBLISH_SECRET.clientsecret}}]}]
authorities:
  - {name: root, subject: CN=Root, key: {kty: RSA}}
  - {name: intermediate, subject: CN=Intermediate, issuer: root, key: {kty: RSA}}
vaults:
  - name: my-key-vault
    tenant: "${TENANT}"
    grants: [{identity: app, secrets: [get]}]
    certificates:
      - {name: web, issuer: intermediate, subject: CN=web, dns: [web.example], key: {kty: RSA}}
      - {name: my-server-certificate, issuer: intermediate, subject: CN=server, dns: [server.example], key: {kty: RSA}}
    secrets: [{name: web-pfx-password, value: changeit}]
`;

/** The manifests of the README's section about `files`, as a reader copies them. */
function examples() {
  const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8');
  const section = readme.split(/^### /m).find((part) => part.startsWith('Choosing the files of a certificate')) ?? '';
  const texts = [...section.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text = '']) => text);
  return texts.flatMap((text) => readManifests(text, 'README.md').classes.map(({ parameters }) => parameters));
}

let world: World;
beforeAll(async () => {
  world = await startWorld({ seed: SEED });
});
afterAll(() => world?.close());

describe('the README’s examples of files', () => {
  it('are one of each form', () => {
    expect(examples().map((parameters) => 'keyVault' in parameters)).toEqual([false, true]);
  });

  it('write what they promise', async () => {
    const [classic = {}, keyVault = {}] = examples();
    const password = new Secret('changeit');
    const web = await mountInto(world, 'web', classic);
    expect(web.files.map(({ path, mode }) => [path, mode.toString(8)]).sort()).toEqual([
      ['ca.crt', '640'],
      ['tls.crt', '644'],
      ['tls.key', '600'],
      ['trust.p12', '640'],
      ['web.pfx', '640'],
    ]);
    const read = (name: string) => readFileSync(join(web.targetDir, name));
    expect(read('tls.key').toString()).toMatch(/^-----BEGIN RSA PRIVATE KEY-----/);
    expect(new X509Certificate(read('tls.crt')).checkPrivateKey(createPrivateKey(read('tls.key')))).toBe(true);
    expect((await readBundle(read('web.pfx'), { password })).certificates).toHaveLength(3);
    const server = await mountInto(world, 'server', keyVault);
    expect(server.files.map(({ path }) => path).sort()).toEqual(['ca.crt', 'server.pem', 'server.pfx']);
    const pfx = readFileSync(join(server.targetDir, 'server.pfx'));
    expect((await readBundle(pfx, { password })).keys).toHaveLength(1);
    await expect(readBundle(pfx)).rejects.toThrow('protected by a password');
  });
});
