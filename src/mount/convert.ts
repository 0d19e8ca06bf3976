import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { ObjectSpec } from '../spc/model.ts';
import type { ObjectVersion } from '../wire/contract.ts';
import type { MadeFile } from './answer.ts';
import { CertificateWatch } from './certificate-watch.ts';
import { convertOutputs } from './convert-outputs.ts';
import { convertValue } from './convert-value.ts';
import { asProviderError, type FailedObject, failuresError } from './failures.ts';
import type { FetchedSpec } from './fetch.ts';
import type { NotedOnce } from './noted-once.ts';
import type { FetchedObject } from './ports.ts';

/** What conversion reports to. */
export interface ConvertContext {
  readonly certificatePolicy: 'warn' | 'enforce';
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly log: Logger;
  readonly noted: NotedOnce;
  readonly signal: AbortSignal;
}

/** Files, and versions of objects that were read only for the files of others. */
export interface Converted {
  readonly made: readonly MadeFile[];
  readonly unwritten: readonly ObjectVersion[];
}

/** One file to be; its source is added by who knows the object. */
export interface FileDraft {
  readonly path: string;
  readonly mode: number;
  readonly contents: Buffer;
}

/**
 * Turns what was read into files, in the order of the manifest.
 * Errors: one that names every object that failed.
 */
export async function convertObjects(all: readonly FetchedSpec[], context: ConvertContext): Promise<Converted> {
  const { signal } = context;
  const watch = new CertificateWatch(context);
  const made: MadeFile[] = [];
  const unwritten: ObjectVersion[] = [];
  const failed: FailedObject[] = [];
  for (const { object, fetched } of all) {
    for (const [index, version] of fetched.entries()) {
      const source = sourceOf(object, version, index);
      try {
        const { content, name } = object;
        const drafts =
          content.kind === 'outputs'
            ? await convertOutputs(version, { content, name, all, watch, signal })
            : await convertValue(version, { content, name, path: pathOf(object, content.path, index), watch, signal });
        for (const file of drafts) made.push({ file, source, owner: object.label });
        if (drafts.length === 0) unwritten.push(source);
      } catch (error) {
        signal.throwIfAborted();
        failed.push({ label: object.label, error: asProviderError(error) });
        break;
      }
    }
  }
  if (failed.length > 0) throw failuresError(failed, all.length);
  return { made, unwritten };
}

/** Ids as the official provider forms them; viewers of the cluster can read them. */
function sourceOf(object: ObjectSpec, { version }: FetchedObject, index: number): ObjectVersion {
  const id = `${object.type}/${object.name}`;
  return { id: object.history > 1 ? `${id}/${index}` : id, version };
}

function pathOf({ history }: ObjectSpec, path: string, index: number): string {
  return history > 1 ? `${path}/${index}` : path;
}
