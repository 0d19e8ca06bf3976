// Reads one secret with Azure's SDK for JavaScript: `client.mjs VAULT-URL SECRET`, by the client secret of the environment,
// then by the managed identity. Prints the first line of the value for each.
import { ClientSecretCredential, ManagedIdentityCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';

const [, , url, name] = process.argv;
const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: client, AZURE_CLIENT_SECRET: secret } = process.env;
for (const credential of [
  new ClientSecretCredential(tenant, client, secret, { disableInstanceDiscovery: true }),
  new ManagedIdentityCredential(),
]) {
  const { value } = await new SecretClient(url, credential).getSecret(name);
  process.stdout.write(`${value?.split('\n')[0]}\n`);
}
