import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { EC_SEED } from '../support/e2e.ts';
import { tokenKey } from '../support/pki.ts';
import { type Provider, scratch, serve } from '../support/process.ts';
import { type Asked, cloudOf, mountOne, silentServer } from '../support/process-hanging.ts';
import { FULL } from '../support/rounds.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ seed: EC_SEED, tokenKey: tokenKey() });
});
afterAll(() => emulator.close());

interface Kind extends Asked {
  /** The host that never answers. If absent, the emulator answers. */
  readonly hangs?: 'login' | 'vaults';
  /** The environment of the provider. `PORT` is replaced by the port of the server that never answers. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The hosts that a Mount can wait for. */
const HANGING: Readonly<Record<string, Kind>> = {
  'a login host that hangs': { hangs: 'login' },
  'a vault that hangs': { hangs: 'vaults' },
  'a proxy that hangs': {
    parameters: { cloudName: 'AzurePublicCloud' },
    env: { HTTPS_PROXY: 'http://127.0.0.1:PORT' },
  },
  'a metadata service that hangs': {
    parameters: { useVMManagedIdentity: 'true' },
    env: { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:PORT' },
  },
};

/** Starts a provider with such hosts. */
async function providerFor({ hangs, env = {} }: Kind): Promise<Provider & { readonly reached: Promise<void> }> {
  const directory = scratch();
  const silent = await silentServer(directory);
  const mute = `localhost:${silent.port}`;
  const answering = `localhost:${emulator.port}`;
  const cloud = cloudOf({
    login: `login.${hangs === 'login' ? mute : answering}`,
    vaults: `vault.${hangs === 'vaults' ? mute : answering}`,
  });
  writeFileSync(join(directory, 'cloud.json'), cloud);
  writeFileSync(join(directory, 'ca.pem'), emulator.caPem);
  const own = Object.entries(env).map(([name, value]) => [name, value.replace('PORT', String(silent.port))]);
  const provider = await serve(join(directory, 'a.sock'), {
    args: ['--cloud-name=AzureStackCloud'],
    env: {
      AZURE_ENVIRONMENT_FILEPATH: join(directory, 'cloud.json'),
      SSL_CERT_FILE: join(directory, 'ca.pem'),
      ...Object.fromEntries(own),
    },
  });
  return { ...provider, reached: silent.reached };
}

describe('a provider that is told to stop', () => {
  it('ends after a Mount that failed by a wrong client secret', async () => {
    const provider = await providerFor({});
    const { failed } = mountOne(provider.path, { secrets: { clientsecret: 'wrong' } });
    expect(await failed).toMatchObject({ code: 16, details: expect.stringContaining('AADSTS7000215') });
    expect(await provider.stop()).toEqual({ code: 0, signal: null });
    expect(provider.output('stdout')).toMatch(/ msg=Stopped\n$/);
  });

  it.each(Object.entries(HANGING))('ends after a Mount that nobody waits for any more: %s', async (_, kind) => {
    const provider = await providerFor(kind);
    const { failed, cancel } = mountOne(provider.path, kind);
    await provider.reached;
    cancel();
    expect(await failed).toMatchObject({ code: status.CANCELLED });
    expect(await provider.stop()).toEqual({ code: 0, signal: null });
    expect(provider.output('stdout')).toMatch(/ msg=Stopped\n$/);
  });

  it.skipIf(!FULL)(
    'gives Mounts that wait no more than their 20 s, and ends',
    async () => {
      const run = async (kind: Kind) => {
        const provider = await providerFor(kind);
        const { failed } = mountOne(provider.path, kind);
        await provider.reached;
        return { end: await provider.stop(), mount: await failed };
      };
      for (const result of await Promise.all(Object.values(HANGING).map(run))) {
        expect(result).toEqual({
          end: { code: 0, signal: null },
          mount: { code: status.UNKNOWN, details: expect.any(String) },
        });
      }
    },
    120_000,
  );
});
