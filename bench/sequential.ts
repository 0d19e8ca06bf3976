/**
 * The baseline `sequential`: reads as the official provider does. `baseline-process.ts` calls it.
 */
import https from 'node:https';
import type { PipelinePolicy } from '@azure/core-rest-pipeline';
import { ClientSecretCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import { Lookups } from '../src/azure/http/lookups.ts';
import { type Reader, TENANT } from './world.ts';

/**
 * Returns a reader that works as the official provider does: each Mount has a new credential and a new client, and
 * reads one object after another, with the challenges, logins and retries of the SDK. All Mounts share connections.
 */
export const readSequentially: Reader = ({ caPem, authorityHost, vaultUrl }) => {
  const agent = new https.Agent({ keepAlive: true, ca: caPem, lookup: new Lookups().lookup });
  const connection: PipelinePolicy = {
    name: 'benchConnection',
    sendRequest(request, next) {
      request.agent = agent;
      return next(request);
    },
  };
  const options = { additionalPolicies: [{ policy: connection, position: 'perRetry' as const }] };
  return async ({ clientId, clientSecret, objects }) => {
    const login = { ...options, authorityHost, disableInstanceDiscovery: true };
    const credential = new ClientSecretCredential(TENANT, clientId, clientSecret, login);
    const client = new SecretClient(vaultUrl, credential, { ...options, disableChallengeResourceVerification: true });
    for (const { name } of objects) await client.getSecret(name);
  };
};
