/**
 * Directs the managed identities of this process to an emulator. MSAL keeps the first address and the tokens of a process;
 * both are forgotten here, so that many test files can share a process.
 */
import { ManagedIdentityApplication } from '@azure/msal-node';

/** What MSAL keeps for the whole process, in fields that its types hide. */
interface Kept {
  nodeStorage: unknown;
}
interface Client {
  readonly managedIdentityClient: { readonly constructor: { identitySource: unknown } };
}

/** Makes `url` the address of IMDS for this process, until {@link clearImds}. */
export function setImds(url: string): void {
  forget();
  process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST = url;
}

/** Undoes {@link setImds}. */
export function clearImds(): void {
  delete process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST;
  forget();
}

function forget(): void {
  (ManagedIdentityApplication as unknown as Kept).nodeStorage = undefined;
  // The constructor makes a new store of tokens, which clients that exist use too.
  const { managedIdentityClient } = new ManagedIdentityApplication() as unknown as Client;
  managedIdentityClient.constructor.identitySource = undefined;
}
