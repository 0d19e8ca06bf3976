/**
 * Reads SecretProviderClasses from the API server and keeps copies of their guarded parameters. The pipeline of a Mount
 * reads a class if the request uses the node's own identity. If the API server does not answer, the last known copy is
 * used. Without a copy, the read fails.
 */

import { isJsonObject } from '../../base/json.ts';
import type { ClassCopy, ClassReader } from '../../mount/ports.ts';
import { type ClassParameters, type ClassRef, guardedParameters } from '../../spc/overrides.ts';
import type { ApiServer } from './api-server.ts';
import { type ClusterKind, Copies, type CopiesParts, field } from './copies.ts';

const CLASS: ClusterKind<ClassParameters> = {
  kind: 'SecretProviderClass',
  noun: 'class',
  api: '/apis/secrets-store.csi.x-k8s.io/v1',
  resource: 'secretproviderclasses',
  right: '"get" on secretproviderclasses (secrets-store.csi.x-k8s.io), as the chart does',
  // Equal to the default of `--cache-ttl`.
  freshMs: 30_000,
  understand: parametersOf,
};

/** The classes of a cluster, by namespace and name. */
export class Classes implements ClassReader {
  readonly #copies: Copies<ClassParameters>;

  constructor(server: ApiServer, parts: CopiesParts) {
    this.#copies = new Copies(CLASS, server, parts);
  }

  async read(
    ref: ClassRef,
    context: Parameters<ClassReader['read']>[1],
    fits: (parameters: ClassParameters) => boolean,
  ): Promise<ClassCopy> {
    const { value: parameters, unconfirmed } = await this.#copies.read({ ref, fits }, context);
    return { parameters, unconfirmed };
  }
}

function parametersOf(object: unknown): ClassParameters | undefined {
  const parameters = field(field(object, 'spec'), 'parameters') ?? {};
  if (!isJsonObject(parameters)) return undefined;
  const texts = Object.entries(parameters).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return guardedParameters(new Map(texts));
}
