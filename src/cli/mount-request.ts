/**
 * Makes the request of a Mount from a SecretProviderClass and options. `mount` and check-fetch.ts call it.
 */

import { type Command, Option } from 'commander';
import { type Manifests, readManifests, type SecretProviderClass } from '../driver/manifests.ts';
import type { PublishRequest } from '../driver/publish.ts';
import { DEVELOPER_LOGINS, type DeveloperLogin } from '../spc/identities/developer.ts';
import { type Io, readInput } from './io.ts';
import { type ChosenSecret, chooseSecret, readTokens } from './mount-credentials.ts';

/** The pod that the Mount is for, and its credentials. */
export interface RequestOptions {
  readonly secrets?: string;
  readonly secretName?: string;
  readonly secretFile?: readonly string[];
  readonly tokenFile?: string;
  /** The login that takes the place of the identity of a class. */
  readonly login?: DeveloperLogin;
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
else from AZURE_CLIENT_ID and AZURE_CLIENT_SECRET. They never come from the command line.
With --login the vaults are read with a login of your own, not with the identity of the class.`;

const POD_UID = '00000000-0000-0000-0000-000000000000';
/** The target path in the request when nothing is written. */
export const KUBELET_PATH = `/var/lib/kubelet/pods/${POD_UID}/volumes/kubernetes.io~csi/secrets-store/mount`;

/** Reads an option that may be given several times. */
export function collected(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/**
 * Adds the options for the credentials of a Mount to the current group of options.
 */
export function addCredentialOptions(command: Command): Command {
  return command
    .option('--secrets <file>', 'YAML with the Secret that nodePublishSecretRef names')
    .option('--secret-name <name>', 'name of the Secret to use, if there are several')
    .option('--secret-file <key=path>', 'an entry of the node-publish secret from a file; repeatable', collected)
    .option('--token-file <path>', 'service-account token, for workload identity')
    .addOption(
      new Option('--login <login>', 'read as an account of yours, not as the identity of the class')
        .choices(Object.keys(DEVELOPER_LOGINS))
        .conflicts(['secrets', 'secretName', 'secretFile', 'tokenFile']),
    )
    .option('--audience <audience>', 'audience of the token', REQUEST_DEFAULTS.audience);
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

/** Returns the credential options on the command line. Those with a default may have been given or not. */
export function credentialsGiven(options: Partial<RequestOptions>): readonly string[] {
  const { secrets, secretName, secretFile, tokenFile, login } = options;
  const given = {
    '--secrets': secrets,
    '--secret-name': secretName,
    '--secret-file': secretFile,
    '--token-file': tokenFile,
    '--login': login,
  };
  return Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}

/** Returns the mistake of an option that has no effect without another one. */
export function idleProblem(option: string, needed: string): string {
  return `${option} is for ${needed}; add ${needed}`;
}

/** Returns what a person has to know about the result of a command with `--login`. */
function loginNote(login: DeveloperLogin): string {
  return `note: the vaults are read as ${DEVELOPER_LOGINS[login]}; whether the identity of a class may read them is not checked\n`;
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
 * Returns the request that the driver would send for a SecretProviderClass. Notes on stderr whose credentials read the vaults.
 * Throws: ERR_USAGE if credentials cannot be read, or if no Secret or several Secrets match.
 */
export async function requestOf(
  { spc, manifests, options, targetDir, timeoutMs }: RequestParts,
  io: Io,
): Promise<PublishRequest> {
  if (options.login !== undefined) io.stderr(loginNote(options.login));
  const namespace = options.namespace || spc.namespace || 'default';
  const secret = options.login === undefined ? await secretOf({ spc, manifests, options }, namespace, io) : undefined;
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

async function secretOf(
  { spc, manifests, options }: Pick<RequestParts, 'spc' | 'manifests' | 'options'>,
  namespace: string,
  io: Io,
): Promise<ChosenSecret | undefined> {
  const extra = options.secrets === undefined ? undefined : await readInput(options.secrets, io);
  return chooseSecret(spc, {
    secrets: [...manifests.secrets, ...(extra === undefined ? [] : readManifests(extra.text, extra.name).secrets)],
    files: options.secretFile ?? [],
    ...(options.secretName === undefined ? {} : { name: options.secretName }),
    namespace,
    env: io.env,
  });
}
