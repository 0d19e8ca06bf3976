/**
 * The end of `demo --keep`: writes the manifests, and prints commands that use the running demo. `run.ts` calls it.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { printManifests } from '../../render/print.ts';
import { shellWord } from '../shell-word.ts';
import {
  BROKER_USER,
  CREDENTIALS_SECRET,
  MOSQUITTO,
  NODE_PUBLISH_SECRET,
  SERVER_CERTIFICATE,
  TENANT,
  VAULT,
} from './fixtures.ts';
import type { DemoSetup, RunningProvider, Volumes } from './parts.ts';
import type { RunningBroker } from './steps/broker.ts';

const API_VERSION = '7.5';

/** Writes the files that the commands need, and prints the commands. */
export async function leaveRunning(
  setup: DemoSetup,
  running: RunningProvider & RunningBroker,
  volumes: Volumes,
): Promise<void> {
  const { emulator, root } = running;
  const { directory } = setup.context;
  const write = (name: string, text: string) => writeFile(join(directory, name), text, { mode: 0o600 });
  const { listener, authentication, bridge } = volumes;
  const rendered = [listener, authentication, bridge].map((volume) => volume.rendered);
  await write('manifests.yaml', `${printManifests(rendered)}---\n${MOSQUITTO.text}`);
  await write('credentials.yaml', credentialsManifest(volumes.listener.rendered.namespace));
  await write('client-secret', NODE_PUBLISH_SECRET.clientsecret);
  await write('root.pem', root.toString());
  // In the seed, the provider may only read. The printed commands also change the vault.
  emulator.grant(VAULT, { identity: NODE_PUBLISH_SECRET.clientid, secrets: ['set'], certificates: ['create'] });
  setup.screen.step('Everything runs until Ctrl-C');
  setup.screen.note('paste these commands into another terminal; akv-csi watch tells the broker when its files change');
  for (const line of instructions(setup, running, volumes)) setup.screen.line(line);
}

function credentialsManifest(namespace: string): string {
  const entries = Object.entries(NODE_PUBLISH_SECRET).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}\n`);
  return `apiVersion: v1\nkind: Secret\nmetadata:\n  name: ${CREDENTIALS_SECRET}\n  namespace: ${namespace}\nstringData:\n${entries.join('')}`;
}

function instructions(
  { context }: DemoSetup,
  { emulator, provider, broker }: RunningProvider & RunningBroker,
  { listener }: Volumes,
): readonly string[] {
  const program = process.argv[1] ?? 'dist/main.js';
  const { name } = listener.rendered;
  const json = '-H "Authorization: Bearer $token" -H "Content-Type: application/json"';
  const query = `?api-version=${API_VERSION}`;
  return [
    '',
    `akv() { node ${shellWord(program)} "$@"; }`,
    `dir=${shellWord(context.directory)}`,
    '',
    '# the environment of the provider: the cloud, and the root of its certificates',
    `export AZURE_ENVIRONMENT_FILEPATH=${shellWord(provider.cloudFile)}`,
    `export SSL_CERT_FILE=${shellWord(provider.caFile)}`,
    '',
    '# make one Mount into the volume of the broker, as the driver does; --name chooses another volume',
    `akv mount "$dir/manifests.yaml" --name ${name} --secrets "$dir/credentials.yaml" \\`,
    `  --endpoint ${shellWord(provider.endpoint)} --out "$dir/volumes/${name}"`,
    '',
    '# show the contents of a file',
    `akv inspect "$dir/volumes/${name}/tls.crt"`,
    '',
    '# subscribe at the broker',
    `mosquitto_sub -h localhost -p ${broker.port} --cafile "$dir/root.pem" -u ${BROKER_USER.username} -P ${BROKER_USER.password} -t 'demo/#' -v`,
    '',
    `# make a new version of the certificate in the vault ${emulator.vaultUrl(VAULT)}, then mount again`,
    `azure() { curl -sS --cacert "$SSL_CERT_FILE" --resolve '*:${emulator.port}:127.0.0.1' "$@"; }`,
    `token=$(azure ${emulator.authorityHost}${TENANT}/oauth2/v2.0/token \\`,
    `  -d grant_type=client_credentials -d client_id=${NODE_PUBLISH_SECRET.clientid} \\`,
    `  --data-urlencode "client_secret@$dir/client-secret" -d scope=https://vault.localhost:${emulator.port}/.default |`,
    `  sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
    `azure -X POST ${json} -d '{}' \\`,
    `  "${emulator.vaultUrl(VAULT)}/certificates/${SERVER_CERTIFICATE}/create${query}"`,
    '# the same for a secret: a password database without users; after the next mount no user can log in',
    `azure -X PUT ${json} -d '{"value":"# no users\\n"}' \\`,
    `  "${emulator.vaultUrl(VAULT)}/secrets/my-username-password-db${query}"`,
    '',
  ];
}
