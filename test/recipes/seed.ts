/** The vault of the recipes, as a seed of the emulator: the certificate `web` and the secrets that the classes name. */
import { TENANT } from '../../src/cli/demo/fixtures.ts';

export const VAULT = 'my-key-vault';

/** YAML of the seed. The certificate `client` is that of a client of the same authority. */
export const SEED = `
tenants:
  - id: "${TENANT}"
    identities:
      - name: workload
        clientId: "33333333-3333-3333-3333-333333333333"
        federated: [{subject: "system:serviceaccount:default:app"}]
authorities:
  - {name: root, subject: CN=Root, key: {kty: RSA}}
  - {name: intermediate, subject: CN=Intermediate, issuer: root, key: {kty: RSA}}
vaults:
  - name: my-key-vault
    tenant: "${TENANT}"
    grants: [{identity: workload, secrets: [get]}]
    certificates:
      - {name: web, issuer: intermediate, subject: CN=web, dns: [localhost], key: {kty: RSA}, contentType: application/x-pem-file}
      - {name: client, issuer: intermediate, subject: CN=client, key: {kty: RSA}, contentType: application/x-pem-file}
    secrets:
      - {name: web-pfx-password, value: changeit}
      - {name: db-password, value: hunter2}
`;
