/**
 * Reads the objects of classes from their vaults, for `check --fetch`, `render --fetch` and `kubectl akv status --fetch`.
 * Writes no file. Refuses credentials where no vault is read.
 */

import { messageOf, ProviderError } from '../base/errors.ts';
import { KUBELET_DEADLINE_MS } from '../driver/client.ts';
import { directTarget } from '../driver/direct.ts';
import { type Manifests, readManifests, type SecretProviderClass } from '../driver/manifests.ts';
import { requestFiles } from '../driver/publish.ts';
import type { MountHandler } from '../mount/handler.ts';
import { MANIFEST_WARNING } from '../mount/report.ts';
import type { Finding } from '../spc/finding.ts';
import type { MountedFile, ObjectVersion } from '../wire/contract.ts';
import type { CloudOptions } from './cloud-options.ts';
import type { Input, Io } from './io.ts';
import { warningsTo } from './logging.ts';
import {
  credentialsGiven,
  credentialsHint,
  idleProblem,
  KUBELET_PATH,
  REQUEST_DEFAULTS,
  type RequestOptions,
  requestOf,
} from './mount-request.ts';
import type { DirectMount } from './provider.ts';

/** The options of a command that reads vaults. */
export type FetchOptions = Partial<RequestOptions> & CloudOptions;

/** A finding about an object of a vault. */
export interface FetchFinding {
  readonly spc: SecretProviderClass;
  readonly finding: Finding;
}

/** A class to be read. */
export interface FetchedClass {
  readonly spc: SecretProviderClass;
  /** The manifests of the file; the credentials may be among them. */
  readonly manifests: Manifests;
  /** Namespace of the pod. Default: that of the options, else of the class. */
  readonly namespace?: string;
}

/** The files of a class and its versions, none if the Mount failed, and the findings about its objects. */
export interface FetchedFiles {
  readonly files: readonly MountedFile[];
  readonly objectVersions: readonly ObjectVersion[];
  readonly findings: readonly Finding[];
}

/** Reads classes one after another by one provider: they share logins, connections and values. */
export class ClassFetcher {
  readonly #options: FetchOptions;
  readonly #directMount: DirectMount;
  /** Prints each note once. */
  readonly #io: Io;
  #mount: Promise<MountHandler> | undefined;
  #warned: (text: string, message: string) => void = () => {};
  #count = 0;

  constructor({ options, directMount }: { options: FetchOptions; directMount: DirectMount }, io: Io) {
    this.#options = options;
    this.#directMount = directMount;
    const printed = new Set<string>();
    this.#io = {
      ...io,
      stderr: (text) => {
        if (!printed.has(text)) io.stderr(text);
        printed.add(text);
      },
    };
  }

  /**
   * Mounts a class in this process, without writing a file. A failed Mount is an error, and a warning of the provider,
   * such as one about a certificate, is a warning, in the provider's words.
   * Throws: ERR_USAGE for credentials that cannot be read.
   */
  async fetch({ spc, manifests, ...more }: FetchedClass): Promise<FetchedFiles> {
    const findings: Finding[] = [];
    const add = (severity: Finding['severity'], message: string) =>
      findings.push({ severity, path: 'spec.parameters', message });
    const options = { ...REQUEST_DEFAULTS, ...this.#options, ...more };
    const parts = { spc, manifests, options, targetDir: KUBELET_PATH, timeoutMs: KUBELET_DEADLINE_MS };
    const request = await requestOf(parts, this.#io);
    // Warnings about the manifest are among its own findings already.
    this.#warned = (text, message) => message !== MANIFEST_WARNING && add('warning', text);
    this.#mount ??= this.#directMount(
      options,
      warningsTo((...warning) => this.#warned(...warning)),
    );
    const mount = await this.#mount;
    this.#io.progress?.(`reading class ${++this.#count}: ${request.pod.namespace}/${spc.name}`);
    try {
      const { files, objectVersions } = await requestFiles(directTarget(mount), request);
      return { files, objectVersions, findings };
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      const message = messageOf(error);
      add('error', `${message}${credentialsHint(message, options, request.pod.namespace)}`);
      return { files: [], objectVersions: [], findings };
    } finally {
      this.#io.progress?.('');
    }
  }

  /**
   * Reads each class of a text of manifests without errors; those of other providers are skipped. `name` is the name of
   * the text in messages. Throws: see {@link fetch}.
   */
  async fetchAll({ name, text }: Input, providerNames: readonly string[]): Promise<readonly FetchFinding[]> {
    const manifests = readManifests(text, name);
    const found: FetchFinding[] = [];
    for (const spc of manifests.classes.filter(({ provider }) => providerNames.includes(provider))) {
      const { findings } = await this.fetch({ spc, manifests });
      found.push(...findings.map((finding) => ({ spc, finding })));
    }
    return found;
  }
}

/** Refuses credentials without `--fetch`: they would have no effect. Throws: ERR_USAGE. */
export function refuseIdleCredentials(options: Partial<RequestOptions> & { readonly fetch?: boolean }): void {
  const [idle] = options.fetch ? [] : credentialsGiven(options);
  if (idle !== undefined) throw new ProviderError('ERR_USAGE', idleProblem(idle, '--fetch'));
}
