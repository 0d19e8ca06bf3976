/**
 * The options of the command `render`: their help and their checks. Called by render.ts. Refuses values that no manifest
 * can hold.
 */

import { type Command, Option } from 'commander';
import { ProviderError } from '../base/errors.ts';
import { isGuid } from '../base/guid.ts';
import { quote } from '../base/words.ts';
import type { IntoOptions } from '../render/into/filter.ts';
import { type PodOption, parsePodOption } from '../render/into/pod-option.ts';
import { mountPathTemplateProblem } from '../render/mount-path.ts';
import type { RenderOptions } from '../render/render.ts';
import { filePathProblem } from '../spc/file-path.ts';
import { collected } from './mount-request.ts';
import { moreOptionsGiven, type RenderMoreOptions } from './render-more-options.ts';

/** The arguments of `render`. */
export interface RenderCommandOptions extends RenderMoreOptions {
  readonly directoryId?: string;
  readonly syncSecrets?: boolean;
  readonly format: 'manifests' | 'volumes' | 'kustomize' | 'json';
  /** The same as the format `json`. */
  readonly json?: boolean;
  readonly provider?: string;
  readonly mountPath?: string;
  /** Such as `username-password=passwd`. */
  readonly fileName?: readonly string[];
  readonly into?: boolean;
  /** Such as `deploy/mosquitto=BrokerListener/front`. */
  readonly pod?: readonly string[];
  /** Files, or directories of them. */
  readonly resources?: readonly string[];
  /** Such as `deploy/mosquitto=HUP mosquitto`. */
  readonly watch?: readonly string[];
  readonly watchImage?: string;
  /** Directory for the format `kustomize`. */
  readonly out?: string;
}

/** Adds the options of `render` to its command. */
export function addRenderOptions(command: Command): Command {
  return command
    .option('--directory-id <guid>', 'Microsoft Entra tenant ID that replaces placeholders such as <AKV directory ID>')
    .option(
      '--sync-secrets',
      'add secretObjects, so that a driver with syncSecret.enabled=true also creates Kubernetes Secrets',
    )
    .addOption(
      new Option(
        '--format <format>',
        'print manifests to apply, or only the volumes and volumeMounts for a pod, or all of it as one JSON object, or write a Component of Kustomize',
      )
        .choices(['manifests', 'volumes', 'json', 'kustomize'])
        .default('manifests'),
    )
    .addOption(new Option('--json', 'the same as --format json').conflicts('format'))
    .option('--out <dir>', 'with --format kustomize: directory of the Component')
    .option('--provider <name>', 'name of the provider in the SecretProviderClasses (default: azure)')
    .option(
      '--mount-path <template>',
      'directory of the volumes, or the path of each, with {class}, {kind}, {name} or {role} in it (default: /mnt/secrets-store)',
    )
    .option(
      '--file-name <role=name>',
      'name of the file of a role such as username-password, or of one field: KIND/NAME/ROLE=NAME; repeatable',
      collected,
    )
    .optionsGroup('Options for pods:')
    .option(
      '--into',
      'print all that was read, with the SecretProviderClasses added, and with volumes and mounts in the pods that ask',
    )
    .option(
      '--pod <workload=items>',
      'with --into or --format kustomize: items for the pod of KIND/NAME that has no annotation akv-csi/mount; repeatable',
      collected,
    )
    .option(
      '--resources <file>',
      'with --into: file or directory of broker resources or classes that are not printed themselves; repeatable',
      collected,
    )
    .option(
      '--watch <workload=tasks>',
      'with --into: add a container that does this when files change, as the annotation akv-csi/watch does; repeatable',
      collected,
    )
    .option('--watch-image <image>', 'with --into: the image of the provider, for the containers that watch');
}

/**
 * Returns the options of {@link render} that the command line asks for.
 * Throws: ERR_USAGE, with the option, its value and the rule.
 */
export function renderOptionsOf(options: RenderCommandOptions): RenderOptions {
  const { directoryId, syncSecrets = false, provider, mountPath, fileName = [] } = options;
  if (directoryId !== undefined && !isGuid(directoryId)) {
    throw new ProviderError('ERR_USAGE', `--directory-id "${directoryId}" is not a GUID`);
  }
  const problem = mountPath === undefined ? undefined : mountPathTemplateProblem(mountPath);
  if (problem !== undefined) throw new ProviderError('ERR_USAGE', `--mount-path ${problem}`);
  if (provider !== undefined && !PROVIDER.test(provider)) {
    const rule = 'the driver takes 1 to 30 letters, digits, "-" and "_"';
    throw new ProviderError('ERR_USAGE', `--provider ${quote(provider)} is not a name of a provider: ${rule}`);
  }
  return {
    syncSecrets,
    fileNames: new Map(fileName.map(fileNameOf)),
    ...(directoryId === undefined ? {} : { directoryId }),
    ...(provider === undefined ? {} : { provider }),
    ...(mountPath === undefined ? {} : { mountPath }),
  };
}

/**
 * Returns the options of the filter `render --into`.
 * Throws: ERR_USAGE, with the option, its value and the rule.
 */
export function intoOptionsOf(options: RenderCommandOptions): IntoOptions {
  const other = notWithInto(options);
  if (other !== undefined) throw new ProviderError('ERR_USAGE', `${other} and --into exclude each other`);
  const { watch, watchImage } = options;
  if (watchImage !== undefined && !/^\S+$/.test(watchImage))
    throw new ProviderError('ERR_USAGE', `--watch-image ${quote(watchImage)} is no image`);
  return {
    ...renderOptionsOf(options),
    pods: podsOf(options),
    watches: podOptionsOf('--watch', watch, 'HUP mosquitto'),
    ...(watchImage === undefined ? {} : { watchImage }),
  };
}

/**
 * Returns the values of `--pod`.
 * Throws: ERR_USAGE, with the value and its form.
 */
export function podsOf({ pod }: RenderCommandOptions): readonly PodOption[] {
  return podOptionsOf('--pod', pod, 'BrokerListener/front');
}

function podOptionsOf(name: string, values: readonly string[] = [], example: string): readonly PodOption[] {
  return values.map((value) => {
    const read = parsePodOption(value, example);
    if (typeof read === 'string') throw new ProviderError('ERR_USAGE', `${name} ${read}`);
    return read;
  });
}

/** Returns an option that prints something else than a stream with its pods, or that has no effect on it. */
function notWithInto(options: RenderCommandOptions): string | undefined {
  const { format, out } = options;
  if (format !== 'manifests') return `--format ${format}`;
  return out === undefined ? moreOptionsGiven(options)[0] : '--out';
}

/** The rule of the driver for `spec.provider`. */
const PROVIDER = /^[a-zA-Z0-9_-]{1,30}$/;

/** Returns role or place, and file name, of a value of `--file-name`. */
function fileNameOf(value: string): readonly [string, string] {
  const at = value.indexOf('=');
  const [place, name] = [value.slice(0, Math.max(0, at)), value.slice(at + 1)];
  const problem = at < 1 ? 'the form is ROLE=NAME, such as username-password=passwd' : filePathProblem(name)?.text;
  if (problem !== undefined) throw new ProviderError('ERR_USAGE', `--file-name ${quote(value)}: ${problem}`);
  return [place, name];
}
