/**
 * Finds the credentials of a Mount on the command line, in manifests or in the environment. `mount-request.ts` calls
 * it. Refuses unreadable files and ambiguous Secrets.
 */

import { systemClock } from '../base/clock.ts';
import { ProviderError } from '../base/errors.ts';
import { jwtExpiry } from '../base/jwt.ts';
import { Secret } from '../base/secret.ts';
import type { SecretManifest, SecretProviderClass } from '../driver/manifests.ts';
import { Findings } from '../spc/finding.ts';
import { parseKeyVaultField } from '../spc/key-vault-field.ts';
import { withLanguages } from '../spc/languages.ts';
import { readSmallText } from './io.ts';

/** A Secret of Kubernetes has no more. */
const MAX_CREDENTIAL_BYTES = 1024 * 1024;

/** The entries of a node-publish secret, and their source in words. */
export interface ChosenSecret {
  readonly data: Readonly<Record<string, Secret>>;
  readonly origin: string;
}

/** The sources of a node-publish secret. */
export interface SecretSources {
  readonly secrets: readonly SecretManifest[];
  /** Each is `key=path`. */
  readonly files: readonly string[];
  /** Name of the Secret to use. */
  readonly name?: string;
  readonly namespace: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Returns the node-publish secret of a Mount: files named on the command line, else a Secret manifest, else
 * AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; undefined if there is none of them.
 * Throws: ERR_USAGE if a file cannot be read, or if no Secret or several Secrets match.
 */
export async function chooseSecret(
  spc: SecretProviderClass,
  { secrets, files, name, namespace, env }: SecretSources,
): Promise<ChosenSecret | undefined> {
  if (files.length > 0) return { data: await readSecretFiles(files), origin: files.join(', ') };
  const wanted = name ?? (secrets.length > 1 ? await withLanguages(() => credentialsNameOf(spc)) : undefined);
  if (secrets.length > 0 || name !== undefined) {
    const fitting = secrets.filter(
      (secret) =>
        (wanted === undefined || secret.name === wanted) && (secret.namespace === '' || secret.namespace === namespace),
    );
    const [chosen, ...others] = fitting;
    if (chosen !== undefined && others.length === 0) return { data: chosen.data, origin: `Secret ${chosen.name}` };
    const known = secrets.map((secret) => `${secret.namespace || namespace}/${secret.name}`).join(', ') || 'none';
    const asked = wanted === undefined ? 'a Secret' : `Secret "${wanted}"`;
    throw new ProviderError(
      'ERR_USAGE',
      `${fitting.length === 0 ? 'no' : 'more than one'} Secret matches: looked for ${asked} in namespace "${namespace}", found ${known}; choose with --secret-name`,
    );
  }
  const { AZURE_CLIENT_ID: clientId, AZURE_CLIENT_SECRET: clientSecret } = env;
  if (!clientId || !clientSecret) return undefined;
  return {
    data: { clientid: new Secret(clientId), clientsecret: new Secret(clientSecret) },
    origin: 'AZURE_CLIENT_ID and AZURE_CLIENT_SECRET',
  };
}

/**
 * Returns the `serviceAccount.tokens` attribute that the kubelet would send for a token file.
 * Throws: ERR_USAGE if the file cannot be read.
 */
export async function readTokens(file: string, audience: string): Promise<Secret> {
  const token = (await readSmallText(file, MAX_CREDENTIAL_BYTES)).trim();
  // A token that is not a JWT passes: the provider or Entra ID reports what is wrong with it.
  const expiresAt = jwtExpiry(token) ?? systemClock.wall() + 3_600_000;
  const expirationTimestamp = new Date(expiresAt).toISOString();
  return new Secret(JSON.stringify({ [audience]: { token, expirationTimestamp } }));
}

async function readSecretFiles(files: readonly string[]): Promise<Record<string, Secret>> {
  const entries = files.map(async (argument): Promise<[string, Secret]> => {
    const [, key, path] = /^([^=]+)=(.+)$/s.exec(argument) ?? [];
    if (key === undefined || path === undefined) {
      throw new ProviderError('ERR_USAGE', '--secret-file takes key=path, such as clientsecret=./client-secret.txt');
    }
    return [key, new Secret(await readSmallText(path, MAX_CREDENTIAL_BYTES))];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Returns the name of the credentials Secret in the `keyVault` form. */
function credentialsNameOf({ parameters }: SecretProviderClass): string | undefined {
  const field = parseKeyVaultField(parameters.keyVault ?? '', new Findings(), {
    layout: 'tls',
    fileName: '',
    defaults: { mode: 0o644, split: false, orderChain: true },
  });
  return field?.identity.kind === 'service-principal' ? field.identity.secretName || undefined : undefined;
}
