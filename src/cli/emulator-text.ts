/**
 * Makes the text that `akv-csi emulator` prints after its start: everything that an SDK of any language needs to use
 * it. `emulator.ts` calls it. It shows client secrets of the project's own example only, and shortens long lists.
 */

import type { Emulator } from '../emulator/emulator.ts';
import type { IdentitySummary, Summary, VaultSummary } from '../emulator/world/summary.ts';
import { shellWord } from './shell-word.ts';

/** The data of the text. Paths are absolute. */
export interface EmulatorText {
  readonly emulator: Emulator;
  /** The file of the seed; absent: the example of this project. */
  readonly seed: string | undefined;
  readonly caFile: string;
  /** The cloud file for the provider, if one was written. */
  readonly cloudFile: string | undefined;
  readonly hostsWritten: boolean;
}

/** The limit of objects of a vault that are listed; a seed may have thousands. */
const MAX_NAMES = 20;
const MAX_IDENTITIES = 50;

/** The setting of each SDK that turns off its request to login.microsoftonline.com about the authority. */
const DISCOVERY: readonly (readonly [language: string, code: string])[] = [
  ['Python', 'ClientSecretCredential(…, disable_instance_discovery=True)'],
  ['Go', 'azidentity.ClientSecretCredentialOptions{DisableInstanceDiscovery: true}'],
  ['Java', 'new ClientSecretCredentialBuilder().disableInstanceDiscovery()'],
  ['JavaScript', 'new ClientSecretCredential(…, {disableInstanceDiscovery: true})'],
  ['.NET', 'new ClientSecretCredentialOptions { DisableInstanceDiscovery = true }'],
];

/** Returns the text, with a line break at its end. */
export function emulatorText(parts: EmulatorText): string {
  const text = { ...parts, caFile: shellWord(parts.caFile) };
  const { emulator } = text;
  const summary = emulator.summary();
  return [
    'The emulator is running.',
    '',
    `  authority          ${emulator.authorityHost}`,
    ...summary.vaults.flatMap((vault) => vaultLines(emulator.vaultUrl(vault.name), vault)),
    `  managed identity   ${emulator.imdsUrl}`,
    `  seed               ${text.seed ?? 'examples/emulator-seed.yaml of this project'}`,
    '',
    ...identityLines(summary, text.seed),
    '',
    ...hostLines(text),
    '',
    ...trustLines(parts.caFile),
    '',
    ...loginLines(text, summary),
    '',
    ...managedLines(emulator),
    '',
    ...providerLines(text.cloudFile),
    ...curlLines(text, summary),
    '',
    'A program for each SDK is in examples/sdks; docs/emulator.md shows how to run it. Ctrl-C ends the emulator.',
    '',
  ].join('\n');
}

function vaultLines(url: string, { tenant, ...objects }: VaultSummary): string[] {
  const kinds = (['secrets', 'certificates', 'keys'] as const).filter((kind) => objects[kind].length > 0);
  return [
    `  vault              ${url}   (tenant ${tenant})`,
    ...kinds.map((kind) => `    ${kind.padEnd(16)} ${shortened(objects[kind], MAX_NAMES).join(', ')}`),
  ];
}

function identityLines({ identities }: Summary, seed: string | undefined): string[] {
  const lines = identities
    .slice(0, MAX_IDENTITIES)
    .flatMap((identity) => [
      `  ${identity.name}`,
      `    tenant           ${identity.tenant}`,
      `    client id        ${identity.clientId}`,
      ...secretLines(identity, seed),
      ...shortened(identity.subjects, MAX_NAMES).map((subject) => `    federated        ${subject}`),
      ...(identity.managed === 'no' ? [] : [`    managed identity ${identity.managed}`]),
    ]);
  const more = identities.length - MAX_IDENTITIES;
  return ['Identities that can log in:', ...lines, ...(more > 0 ? [`  and ${more} more`] : [])];
}

function secretLines({ clientSecrets }: IdentitySummary, seed: string | undefined): string[] {
  const [first] = clientSecrets;
  if (first === undefined) return [];
  return [`    client secret    ${seed === undefined ? first.reveal() : `(see ${seed})`}`];
}

function hostLines({ emulator, hostsWritten }: EmulatorText): string[] {
  return [
    hostsWritten
      ? 'Host names, added to the hosts file:'
      : 'Host names for the hosts file of each client (--write-hosts adds them here):',
    ...emulator.hostsLines().map((line) => `  ${line}`),
  ];
}

function trustLines(path: string): string[] {
  const [caFile, store] = [path, `${path}.p12`].map(shellWord);
  const options = `-Djavax.net.ssl.trustStore=${path}.p12 -Djavax.net.ssl.trustStorePassword=changeit`;
  return [
    'Trust the root certificate, in a shell for this alone: Go, Python and Java then trust no other one, and their package',
    'managers fail there. Install what your program needs before.',
    `  export NODE_EXTRA_CA_CERTS=${caFile}   # Node.js`,
    `  export SSL_CERT_FILE=${caFile}         # Go, .NET on Linux; unset SSL_CERT_DIR`,
    `  export REQUESTS_CA_BUNDLE=${caFile}    # Python`,
    `  keytool -importcert -noprompt -file ${caFile} -alias emulator -keystore ${store} -storepass changeit   # Java`,
    `  export JAVA_TOOL_OPTIONS=${shellWord(options)}`,
  ];
}

function loginLines({ emulator, seed }: EmulatorText, { identities }: Summary): string[] {
  const identity = identities.find(({ clientSecrets }) => clientSecrets.length > 0);
  const secret = seed === undefined ? identity?.clientSecrets[0]?.reveal() : undefined;
  const variables = Object.entries({
    AZURE_AUTHORITY_HOST: emulator.authorityHost,
    AZURE_TENANT_ID: identity?.tenant,
    AZURE_CLIENT_ID: identity?.clientId,
    AZURE_CLIENT_SECRET: secret,
  });
  const widest = Math.max(...DISCOVERY.map(([language]) => language.length));
  return [
    'Log in here, and turn off instance discovery, which asks Microsoft whether this authority exists:',
    ...variables.flatMap(([name, value]) => (value === undefined ? [] : [`  export ${name}=${value}`])),
    ...DISCOVERY.map(([language, code]) => `  ${language.padEnd(widest)}  ${code}`),
  ];
}

function managedLines({ imdsUrl, identityEndpoint, identityHeader }: Emulator): string[] {
  return [
    'Managed identity, as IMDS for Python, Java, JavaScript and .NET:',
    `  export AZURE_POD_IDENTITY_AUTHORITY_HOST=${imdsUrl}`,
    'and as App Service for Go, whose SDK knows no other address of IMDS:',
    `  export IDENTITY_ENDPOINT=${identityEndpoint}`,
    `  export IDENTITY_HEADER=${identityHeader}`,
  ];
}

function providerLines(cloudFile: string | undefined): string[] {
  if (cloudFile === undefined) return [];
  return [
    'The provider (akv-csi serve, mount --direct) takes --cloud-name AzureStackCloud, SSL_CERT_FILE and:',
    `  export AZURE_ENVIRONMENT_FILEPATH=${shellWord(cloudFile)}`,
    '',
  ];
}

function curlLines({ emulator, caFile, seed }: EmulatorText, { identities, vaults }: Summary): string[] {
  const [vault] = vaults;
  const identity = identities.find(({ clientSecrets }) => clientSecrets.length > 0);
  if (vault === undefined || identity === undefined) return [];
  const url = emulator.vaultUrl(vault.name);
  const scope = `${url.replace(`${vault.name}.`, '')}/.default`;
  const secret = seed === undefined ? identity.clientSecrets[0]?.reveal() : '…';
  // curl resolves names under .localhost to the loopback interface and ignores the hosts file.
  const [address] = emulator.hostsLines().map((line) => line.split(' ')[0]);
  const curl = `curl --silent --cacert ${caFile} --resolve '*:${emulator.port}:${address}'`;
  return [
    `Tokens are for ${scope}. If a tool accepts only https://vault.azure.net, start the emulator with`,
    "--host-name '*.vault.azure.net'. With curl:",
    `  token=$(${curl} ${emulator.authorityHost}${identity.tenant}/oauth2/v2.0/token \\`,
    `    -d grant_type=client_credentials -d client_id=${identity.clientId} -d client_secret=${secret} \\`,
    `    -d scope=${scope} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
    `  ${curl} -H "Authorization: Bearer $token" "${url}/secrets?api-version=7.4"`,
  ];
}

/** Returns the first names and the number of the others. */
function shortened(names: readonly string[], most: number): string[] {
  const more = names.length - most;
  return more > 0 ? [...names.slice(0, most), `and ${more} more`] : [...names];
}
