/**
 * Runs commands of the built program that take a SecretProviderClass, against the emulator of a test. Tests of
 * `mount --direct` and `check` call it.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { NODE_PUBLISH_SECRET } from '../../src/cli/demo/fixtures.ts';
import { builtProgram, type World } from './e2e.ts';

/** Returns the environment of a command of the built program that connects to the emulator of a test. */
export function emulatorEnv({ directory, emulator }: Pick<World, 'directory' | 'emulator'>) {
  const { clientid, clientsecret } = NODE_PUBLISH_SECRET;
  return {
    PATH: process.env.PATH,
    AZURE_ENVIRONMENT_FILEPATH: put(directory, 'cloud.json', emulator.cloudFile),
    SSL_CERT_FILE: put(directory, 'ca.pem', emulator.caPem),
    AZURE_CLIENT_ID: clientid,
    AZURE_CLIENT_SECRET: clientsecret,
  };
}

function put(directory: string, name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

/** Returns the output of `command` for a class with these parameters: standard output, then standard error. */
export async function runOnClass(
  world: Pick<World, 'directory' | 'emulator'>,
  command: readonly string[],
  parameters: Readonly<Record<string, string>>,
): Promise<string> {
  const spec = { provider: 'azure', parameters };
  const path = put(
    world.directory,
    'class.json',
    JSON.stringify({ kind: 'SecretProviderClass', metadata: { name: 'app' }, spec }),
  );
  const args = [builtProgram(), ...command, '--cloud-name', 'AzureStackCloud', path];
  const outputs = ({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }) => stdout + stderr;
  // A command that fails says why in the same places.
  return promisify(execFile)(process.execPath, args, { env: emulatorEnv(world) }).then(outputs, outputs);
}
