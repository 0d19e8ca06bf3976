/**
 * Makes a span of each read of a Mount that is traced. `AzureVaults` puts it around the reader of each vault, if there is
 * a tracer. What the reader itself reports goes to the span of its read.
 */

import type { ObjectType } from '../../base/objects.ts';
import { inSpan, type SpanName } from '../../base/trace.ts';
import type {
  FetchContext,
  FetchedObject,
  ListedVersion,
  ObjectListing,
  ObjectRef,
  Stamp,
  VaultReader,
} from '../../mount/ports.ts';

/** A reader whose reads have spans. */
export class TracedReader implements VaultReader {
  readonly #reader: VaultReader;
  readonly #vaultName: string;

  constructor(reader: VaultReader, vaultName: string) {
    this.#reader = reader;
    this.#vaultName = vaultName;
  }

  get vaultUrl(): string {
    return this.#reader.vaultUrl;
  }

  get(ref: ObjectRef, context: FetchContext, stamp?: Stamp | undefined): Promise<FetchedObject> {
    return this.#traced('read object', ref, context, (own) => this.#reader.get(ref, own, stamp));
  }

  listVersions(ref: Omit<ObjectRef, 'version'>, context: FetchContext): Promise<readonly ListedVersion[]> {
    return this.#traced('list versions', ref, context, (own) => this.#reader.listVersions(ref, own));
  }

  list(type: ObjectType, context: FetchContext): Promise<ObjectListing> {
    return this.#traced('list objects', { type, name: undefined }, context, (own) => this.#reader.list(type, own));
  }

  #traced<T>(
    spanName: SpanName,
    { type, name }: { readonly type: ObjectType; readonly name: string | undefined },
    context: FetchContext,
    read: (own: FetchContext) => Promise<T>,
  ): Promise<T> {
    return inSpan(context.span, spanName, (span) => {
      const attributes = { 'akv_csi.vault': this.#vaultName, 'akv_csi.object.type': type, 'akv_csi.object.name': name };
      span?.set(attributes);
      return read({ ...context, span });
    });
  }
}
