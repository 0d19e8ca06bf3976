/**
 * Reads the objects of classes from their vaults, for `check --fetch`, `render --fetch` and `kubectl akv status --fetch`.
 * Writes no file.
 */

import { messageOf, ProviderError } from '../base/errors.ts';
import { KUBELET_DEADLINE_MS } from '../driver/client.ts';
import { directTarget } from '../driver/direct.ts';
import { type Manifests, readManifests, type SecretProviderClass } from '../driver/manifests.ts';
import { requestFiles } from '../driver/publish.ts';
import { MANIFEST_WARNING } from '../mount/report.ts';
import type { Finding } from '../spc/finding.ts';
import type { MountedFile, ObjectVersion } from '../wire/contract.ts';
import type { CloudOptions } from './cloud-options.ts';
import type { Io } from './io.ts';
import { warningsTo } from './logging.ts';
import { credentialsHint, KUBELET_PATH, REQUEST_DEFAULTS, type RequestOptions, requestOf } from './mount-request.ts';
import type { DirectMount } from './provider.ts';

/** A text of manifests without errors, and the options for reading its objects. */
export interface FetchedManifests {
  readonly name: string;
  readonly text: string;
  readonly options: Partial<RequestOptions> & CloudOptions;
  /** Classes of other providers are skipped. */
  readonly providerNames: readonly string[];
  readonly directMount: DirectMount;
}

/** A finding about an object of a vault. */
export interface FetchFinding {
  readonly spc: SecretProviderClass;
  readonly finding: Finding;
}

/** A class to be read, and where its credentials come from. */
export interface FetchedClass {
  readonly spc: SecretProviderClass;
  /** The manifests of the file; the credentials may be among them. */
  readonly manifests: Manifests;
  readonly options: Partial<RequestOptions> & CloudOptions;
  readonly directMount: DirectMount;
}

/** The files of a class and its versions, none if the Mount failed, and the findings about its objects. */
export interface FetchedFiles {
  readonly files: readonly MountedFile[];
  readonly objectVersions: readonly ObjectVersion[];
  readonly findings: readonly Finding[];
}

/**
 * Mounts each SecretProviderClass of a text in this process, without writing a file; see {@link fetchClass}.
 * Throws: ERR_USAGE for credentials that cannot be read.
 */
export async function fetchFindings(
  { name, text, options, providerNames, directMount }: FetchedManifests,
  io: Io,
): Promise<readonly FetchFinding[]> {
  const manifests = readManifests(text, name);
  const found: FetchFinding[] = [];
  for (const spc of manifests.classes.filter(({ provider }) => providerNames.includes(provider))) {
    const { findings } = await fetchClass({ spc, manifests, options, directMount }, io);
    found.push(...findings.map((finding) => ({ spc, finding })));
  }
  return found;
}

/**
 * Mounts a class in this process, without writing a file. A failed Mount is an error, and a warning of the provider,
 * such as one about a certificate, is a warning, in the provider's words.
 * Throws: ERR_USAGE for credentials that cannot be read.
 */
export async function fetchClass(
  { spc, manifests, options, directMount }: FetchedClass,
  io: Io,
): Promise<FetchedFiles> {
  const findings: Finding[] = [];
  const add = (severity: Finding['severity'], message: string) =>
    findings.push({ severity, path: 'spec.parameters', message });
  const parts = { spc, manifests, options: { ...REQUEST_DEFAULTS, ...options } };
  const request = await requestOf({ ...parts, targetDir: KUBELET_PATH, timeoutMs: KUBELET_DEADLINE_MS }, io);
  // Warnings about the manifest are among its own findings already.
  const log = warningsTo((text, message) => message !== MANIFEST_WARNING && add('warning', text));
  const mount = await directMount(options, log);
  try {
    const { files, objectVersions } = await requestFiles(directTarget(mount), request);
    return { files, objectVersions, findings };
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    const message = messageOf(error);
    add('error', `${message}${credentialsHint(message, options, request.pod.namespace)}`);
    return { files: [], objectVersions: [], findings };
  }
}
