/**
 * The options of `render` that print more than classes and volumes: holders, `secretName`, SecretSyncs, ConfigMaps.
 * Called by render.ts. Refuses combinations that make no sense, with the remedy.
 */

import type { Command } from 'commander';
import { ProviderError } from '../base/errors.ts';
import { quote } from '../base/words.ts';
import type { ConfigMapWish } from '../render/more/config-maps.ts';
import { PAUSE_IMAGE } from '../render/more/holder.ts';
import type { MoreOptions } from '../render/more/more.ts';
import { subdomainProblem } from '../spc/kubernetes-names.ts';
import { addCloudOptions, type CloudOptions } from './cloud-options.ts';
import {
  addCredentialOptions,
  collected,
  credentialsGiven,
  idleProblem,
  type RequestOptions,
} from './mount-request.ts';

/** The arguments of `render` that this file reads. */
export interface RenderMoreOptions extends Partial<Omit<RequestOptions, 'pod'>>, Partial<CloudOptions> {
  readonly holder?: boolean;
  readonly holderImage?: string;
  readonly accountName?: string;
  readonly secretNames?: boolean;
  readonly syncController?: boolean;
  /** Such as `client-ca=my-ca-chain`. */
  readonly configMaps?: readonly string[];
  readonly fetch?: boolean;
}

/** Arguments of `render` that these options are compared with. */
interface Others {
  readonly syncSecrets?: boolean;
  readonly format: string;
}

/** Adds the options to the command. */
export function addRenderMoreOptions(command: Command): Command {
  command
    .optionsGroup('Further objects:')
    .option(
      '--holder',
      'add a Deployment for each class that mounts it, so that the driver keeps its Kubernetes Secret',
    )
    .option('--holder-image <image>', `image of the Deployments (default: ${PAUSE_IMAGE})`)
    .option('--secret-names', 'add the broker resources, with secretName of the synced Secret in place of keyVault')
    .option('--sync-controller', 'add SecretSyncs for the Secrets Store sync controller; for workload identity only')
    .option('--account-name <name>', 'ServiceAccount of the Deployments of --holder, and of the SecretSyncs')
    .option(
      '--config-maps <name=secret>',
      'add the ConfigMap that a resource names, with the CA certificates of a secret in the vault; needs --fetch; repeatable',
      collected,
    )
    .option('--fetch', 'also read the objects from their vaults, and report what is wrong with them')
    .optionsGroup('Options with --fetch:');
  return addCredentialOptions(addCloudOptions(command));
}

/**
 * Returns what is to be printed next to the classes.
 * Throws: ERR_USAGE for options that do not fit together, and for names that cannot be.
 */
export function moreOptionsOf(options: RenderMoreOptions & Others): MoreOptions {
  for (const [isWrong, message] of rulesOf(options)) if (isWrong) throw new ProviderError('ERR_USAGE', message);
  const { holder, holderImage = PAUSE_IMAGE, accountName, syncController, secretNames = false } = options;
  const problem = accountName === undefined ? undefined : subdomainProblem(accountName);
  if (problem !== undefined) throw new ProviderError('ERR_USAGE', `--account-name ${problem}`);
  const account = accountName === undefined ? {} : { serviceAccount: accountName };
  return {
    secretNames,
    ...(holder === true ? { holder: { image: holderImage, ...account } } : {}),
    ...(syncController === true && accountName !== undefined ? { syncServiceAccount: accountName } : {}),
  };
}

/** Returns the combinations that make no sense, each with its message. */
function rulesOf(options: RenderMoreOptions & Others): readonly (readonly [boolean, string])[] {
  const { holder = false, syncController = false, secretNames = false, syncSecrets = false, format } = options;
  const { accountName, holderImage, configMaps = [], fetch = false } = options;
  const added = [
    holder ? '--holder' : '',
    secretNames ? '--secret-names' : '',
    syncController ? '--sync-controller' : '',
    configMaps.length > 0 ? '--config-maps' : '',
  ].filter((name) => name !== '');
  return [
    [
      format === 'volumes' && added.length > 0,
      `--format volumes prints parts of a pod, and no objects such as those of ${added.join(' and ')}; leave one of them out`,
    ],
    [
      syncController && (holder || syncSecrets),
      `--sync-controller and ${holder ? '--holder' : '--sync-secrets'} are two ways to the same Secret, which would ` +
        'overwrite each other; choose the sync controller or the driver',
    ],
    [
      syncController && accountName === undefined,
      '--sync-controller needs --account-name NAME: the ServiceAccount that has the workload identity',
    ],
    [holderImage !== undefined && !holder, '--holder-image is the image of --holder; add --holder'],
    [
      holderImage !== undefined && !/^[\w./:@-]+$/.test(holderImage),
      `--holder-image ${quote(holderImage ?? '')} is no image`,
    ],
    [
      accountName !== undefined && !holder && !syncController,
      '--account-name is the ServiceAccount of --holder and --sync-controller; add one of them',
    ],
    ...optionsOfFetch(options).map((name): [boolean, string] => [!fetch, idleProblem(name, '--fetch')]),
    [
      configMaps.length > 0 && !fetch,
      '--config-maps reads certificates from the vault; add --fetch, and the credentials that it needs',
    ],
  ];
}

/** Returns the options of this file on the command line. */
export function moreOptionsGiven(options: RenderMoreOptions): readonly string[] {
  const { holder, holderImage, secretNames, syncController, accountName, configMaps, fetch } = options;
  const given = {
    '--holder': holder,
    '--holder-image': holderImage,
    '--secret-names': secretNames,
    '--sync-controller': syncController,
    '--account-name': accountName,
    '--config-maps': configMaps,
    '--fetch': fetch,
  };
  const names = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  return [...names, ...optionsOfFetch(options)];
}

/** Returns the options on the command line that only `--fetch` uses. */
function optionsOfFetch(options: RenderMoreOptions): readonly string[] {
  return [...(options.cloudFileDir === undefined ? [] : ['--cloud-file-dir']), ...credentialsGiven(options)];
}

/**
 * Returns the ConfigMaps that are asked for.
 * Throws: ERR_USAGE for a value in another form.
 */
export function configMapWishesOf({ configMaps = [] }: RenderMoreOptions): readonly ConfigMapWish[] {
  const values = configMaps.flatMap((value) => value.split(',')).map((value) => value.trim());
  return values.map((value) => {
    const [name = '', secret = '', ...rest] = value.split('=');
    if (name !== '' && secret !== '' && rest.length === 0) return { name, secret };
    const rule = 'the form is CONFIGMAP=SECRET, such as client-ca=my-ca-chain: the ConfigMap that a resource names, ';
    throw new ProviderError('ERR_USAGE', `--config-maps ${quote(value)}: ${rule}and the secret in its vault`);
  });
}
