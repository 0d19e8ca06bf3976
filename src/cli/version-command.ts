/**
 * The command `version`: prints the version of the program, its build date, and the Node that runs it. `program.ts` adds
 * it.
 */

import { Command } from 'commander';
import { type Io, processIo } from './io.ts';
import { BUILD_DATE, VERSION } from './version.ts';

/** Makes the command `akv-csi version`. */
export function versionCommand(): Command {
  return new Command('version')
    .description('print the version of the program and of the Node that runs it')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample: akv-csi version --json\n\nExit codes: 0 printed, 2 wrong command line.')
    .action(({ json = false }: { json?: boolean }) => runVersion(json, processIo));
}

/** Prints the version. */
function runVersion(json: boolean, io: Io): void {
  const { version: node, platform, arch } = process;
  const built = BUILD_DATE === '' ? '' : `, built ${BUILD_DATE}`;
  const text = `akv-csi ${VERSION}${built}, Node.js ${node} on ${platform}-${arch}`;
  io.stdout(`${json ? JSON.stringify({ version: VERSION, buildDate: BUILD_DATE, node, platform, arch }) : text}\n`);
}
