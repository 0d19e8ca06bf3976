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

/** Returns the output of `command` for a class with these parameters: standard output, then standard error. */
export async function runOnClass(
  { directory, emulator }: Pick<World, 'directory' | 'emulator'>,
  command: readonly string[],
  parameters: Readonly<Record<string, string>>,
): Promise<string> {
  const write = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const spec = { provider: 'azure', parameters };
  const path = write('class.json', JSON.stringify({ kind: 'SecretProviderClass', metadata: { name: 'app' }, spec }));
  const { clientid, clientsecret } = NODE_PUBLISH_SECRET;
  const env = {
    PATH: process.env.PATH,
    AZURE_ENVIRONMENT_FILEPATH: write('cloud.json', emulator.cloudFile),
    SSL_CERT_FILE: write('ca.pem', emulator.caPem),
    AZURE_CLIENT_ID: clientid,
    AZURE_CLIENT_SECRET: clientsecret,
  };
  const args = [builtProgram(), ...command, '--cloud-name', 'AzureStackCloud', path];
  const outputs = ({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }) => stdout + stderr;
  // A command that fails says why in the same places.
  return promisify(execFile)(process.execPath, args, { env }).then(outputs, outputs);
}
