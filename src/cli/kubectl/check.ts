/**
 * The command `kubectl akv check`: prints every finding about SecretProviderClasses and broker resources of a cluster.
 * `kubectl.ts` adds it.
 */

import { Command } from 'commander';
import { printable, printableJson } from '../../base/printable.ts';
import { counted } from '../../base/words.ts';
import { checkLive, type LiveReport } from '../../kubectl/check-live.ts';
import type { CheckContext } from '../../spc/check.ts';
import { CLOUD_DEFAULTS } from '../cloud-options.ts';
import { exitCodeOf, type Io, processIo } from '../io.ts';
import { cloudFilesOf } from '../provider.ts';
import { countsOf } from '../severities.ts';
import {
  addAllNamespaces,
  addClusterOptions,
  addOutput,
  type ClusterOptions,
  openCluster,
  providerNamesOf,
} from './cluster-options.ts';

/** The arguments of `check`. */
export interface CheckLiveOptions extends ClusterOptions {
  readonly allNamespaces?: boolean;
  readonly output?: 'json';
}

const HELP = `
Examples: kubectl akv check -A
          kubectl akv check BrokerListener/tls-listener-manual

Exit codes: 0 no errors, 1 errors found, or nothing to check, 2 wrong command line.`;

/** Makes the command `kubectl akv check [NAME…]`. */
export function checkLiveCommand(): Command {
  const command = new Command('check')
    .description('check SecretProviderClasses and broker resources of the cluster, with the parser of the provider')
    .argument('[names...]', 'NAME or KIND/NAME; default: all in the namespace');
  return addOutput(addAllNamespaces(addClusterOptions(command)), ['json'])
    .addHelpText('after', HELP)
    .action(async (names: string[], options: CheckLiveOptions) => {
      process.exitCode = await runCheckLive(names, options, processIo);
    });
}

/** Checks and prints. Returns the exit code: 1 if there is an error or nothing to check. */
export function runCheckLive(names: readonly string[], options: CheckLiveOptions, io: Io): Promise<number> {
  return exitCodeOf(io, async () => {
    const api = await openCluster(options, io);
    const namespace = options.allNamespaces ? '' : api.access.namespace;
    const check = checkContextOf(options, io);
    const report = await checkLive(api, { namespace, names, check });
    for (const note of report.notes) io.stderr(`note: ${printable(note)}\n`);
    const errors = report.findings.filter(({ severity }) => severity === 'error').length;
    if (options.output === 'json') io.stdout(printableJson({ ...report, errors }));
    else print(report, io);
    return errors === 0 && report.classes + report.resources > 0 ? 0 : 1;
  });
}

function print({ classes, resources, findings }: LiveReport, io: Io): void {
  for (const { severity, kind, namespace, name, message } of findings)
    io.stdout(`${printable(`${kind} ${namespace}/${name}: ${severity}: ${message}`)}\n`);
  const checked = `${counted(classes, 'SecretProviderClass', 'es')}, ${resources} with keyVault fields`;
  io.stdout(`${checked} checked: ${countsOf(findings)}\n`);
}

/** Returns how classes are checked: with the defaults of the provider, in the public cloud. */
export function checkContextOf(options: ClusterOptions, io: Io): CheckContext {
  return {
    defaults: { ...CLOUD_DEFAULTS, orderChain: true, split: false },
    readCloudFile: cloudFilesOf({ cloudFileDir: '' }, io.env),
    providerNames: providerNamesOf(options),
  };
}
