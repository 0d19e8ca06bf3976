import https from 'node:https';
import type { PipelinePolicy } from '@azure/core-rest-pipeline';
import { ClientSecretCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import { lookupLocalhost } from '../src/azure/http/lookups.ts';
import { type Reader, TENANT } from './world.ts';

/**
 * Mounts as the official provider does: a new credential and a new client each time, one object after another, the
 * SDK's own challenge, login and retries; connections are shared by all Mounts.
 */
export const readSequentially: Reader = ({ caPem, authorityHost, vaultUrl }) => {
  const agent = new https.Agent({ keepAlive: true, ca: caPem, lookup: lookupLocalhost });
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
