/**
 * Makes the request of a Mount from a SecretProviderClass and options. `mount` and `check --fetch` call it.
 */

import type { Command } from 'commander';
import { type Manifests, readManifests, type SecretProviderClass } from '../driver/manifests.ts';
import type { PublishRequest } from '../driver/publish.ts';
import { type Io, readInput } from './io.ts';
import { chooseSecret, readTokens } from './mount-credentials.ts';

/** The pod that the Mount is for, and its credentials. */
export interface RequestOptions {
  readonly secrets?: string;
  readonly secretName?: string;
  readonly secretFile?: readonly string[];
  readonly tokenFile?: string;
  readonly audience: string;
  readonly pod: string;
  readonly namespace?: string;
  readonly serviceAccount: string;
}

/** Values of options that are not given. */
export const REQUEST_DEFAULTS = {
  audience: 'api://AzureADTokenExchange',
  pod: 'akv-csi-mount',
  serviceAccount: 'default',
} as const;

/** The sources of credentials, for the help of a command. */
export const CREDENTIALS_HELP = `Credentials of a service principal come from --secret-file, else from a Secret manifest,
else from AZURE_CLIENT_ID and AZURE_CLIENT_SECRET. They never come from the command line.`;

const POD_UID = '00000000-0000-0000-0000-000000000000';
/** The target path in the request when nothing is written. */
export const KUBELET_PATH = `/var/lib/kubelet/pods/${POD_UID}/volumes/kubernetes.io~csi/secrets-store/mount`;

/** Reads an option that may be given several times. */
export function collected(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/**
 * Adds the options for the credentials of a Mount. Their help begins with `when`, the condition under which they apply.
 */
export function addCredentialOptions(command: Command, when = ''): Command {
  return command
    .option('--secrets <file>', `${when}YAML with the Secret that nodePublishSecretRef names`)
    .option('--secret-name <name>', `${when}name of the Secret to use, if there are several`)
    .option('--secret-file <key=path>', `${when}an entry of the node-publish secret from a file; repeatable`, collected)
    .option('--token-file <path>', `${when}service-account token, for workload identity`)
    .option('--audience <audience>', `${when}audience of the token`, REQUEST_DEFAULTS.audience);
}

/**
 * Returns the options to use if a Mount failed because it had no credentials, as the end of a sentence; empty if it
 * failed for another reason. The message of the Mount itself is for a person who can change the pod.
 */
export function credentialsHint(message: string, options: Partial<RequestOptions>, namespace: string): string {
  if (message.includes('nodePublishSecretRef secret is not set')) {
    const files = '--secret-file clientid=FILE --secret-file clientsecret=FILE';
    return `; here: --secrets FILE with that Secret, or ${files}`;
  }
  if (options.tokenFile !== undefined || !/service account tokens? /.test(message)) return '';
  const { serviceAccount = REQUEST_DEFAULTS.serviceAccount, audience = REQUEST_DEFAULTS.audience } = options;
  const [, asked = audience] = /audience (api:[\w:/.-]*\w)/.exec(message) ?? [];
  const account = serviceAccount === REQUEST_DEFAULTS.serviceAccount ? 'SERVICE-ACCOUNT' : serviceAccount;
  const command = `kubectl create token ${account} -n ${namespace} --audience ${asked} > token`;
  const flags = `--token-file token${asked === audience ? '' : ` --audience ${asked}`}`;
  return `; here: ${command}; then give ${flags}`;
}

/** The parts of a request. */
export interface RequestParts {
  readonly spc: SecretProviderClass;
  /** All manifests of the file; the credentials may be among them. */
  readonly manifests: Manifests;
  readonly options: RequestOptions;
  readonly targetDir: string;
  readonly timeoutMs: number;
}

/**
 * Returns the request that the driver would send for a SecretProviderClass.
 * Throws: ERR_USAGE if credentials cannot be read, or if no Secret or several Secrets match.
 */
export async function requestOf(
  { spc, manifests, options, targetDir, timeoutMs }: RequestParts,
  io: Io,
): Promise<PublishRequest> {
  const namespace = options.namespace || spc.namespace || 'default';
  const extra = options.secrets === undefined ? undefined : await readInput(options.secrets, io);
  const secret = await chooseSecret(spc, {
    secrets: [...manifests.secrets, ...(extra === undefined ? [] : readManifests(extra.text, extra.name).secrets)],
    files: options.secretFile ?? [],
    ...(options.secretName === undefined ? {} : { name: options.secretName }),
    namespace,
    env: io.env,
  });
  if (secret !== undefined) io.stderr(`note: node-publish secret from ${secret.origin}\n`);
  const { tokenFile } = options;
  return {
    parameters: spc.parameters,
    volumeAttributes: { secretProviderClass: spc.name },
    pod: { name: options.pod, namespace, uid: POD_UID, serviceAccount: options.serviceAccount },
    targetDir,
    deadlineMs: timeoutMs,
    ...(secret === undefined ? {} : { nodePublishSecret: secret.data }),
    ...(tokenFile === undefined ? {} : { tokens: await readTokens(tokenFile, options.audience) }),
  };
}
