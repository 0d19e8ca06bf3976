// Reads a secret with Azure's SDK for JavaScript: `node read-secret.mjs VAULT-URL SECRET`, as a service principal by the
// client secret in the environment, then by managed identity. Prints the first line of the value for each.
import { ClientSecretCredential, ManagedIdentityCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';

const [, , url, name] = process.argv;
const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: client, AZURE_CLIENT_SECRET: secret } = process.env;
for (const credential of [
  // Without instance discovery, the SDK does not ask login.microsoftonline.com about the emulator.
  new ClientSecretCredential(tenant, client, secret, { disableInstanceDiscovery: true }),
  new ManagedIdentityCredential(),
]) {
  const { value } = await new SecretClient(url, credential).getSecret(name);
  process.stdout.write(`${value?.split('\n')[0]}\n`);
}
