/**
 * Prints the result of `render --format json`: all objects to apply, the parts of the pods, and the messages. Called by
 * render.ts. It never fails: after an error the objects and the parts are missing, and the messages say why.
 */

import { parse } from 'yaml';
import { printableJson } from '../base/printable.ts';
import type { Message } from '../render/remark.ts';
import { classOf, type RenderedVolume } from '../render/volume.ts';

/** What was rendered. */
export interface RenderResult {
  readonly volumes: readonly RenderedVolume[];
  readonly objects: readonly object[];
  /** Documents of YAML, each one object. */
  readonly documents: readonly string[];
}

/** Returns one JSON object, with the fields that docs/render.md lists. */
export function renderJson({ volumes, objects, documents }: RenderResult, messages: readonly Message[]): string {
  return printableJson({
    manifests: [...volumes.map(classOf), ...objects, ...documents.map((text): unknown => parse(text, AS_KUBERNETES))],
    volumes: volumes.map(volumeOf),
    messages: messages.map(({ severity, source: file, line, column, message }) => ({
      severity,
      file,
      line,
      column,
      message,
    })),
  });
}

/** Kubernetes reads YAML 1.1. */
const AS_KUBERNETES = { version: '1.1' } as const;

function volumeOf({ name, namespace, from, found, volume, volumeMount, files }: RenderedVolume): object {
  return {
    secretProviderClass: { name, ...(namespace === '' ? {} : { namespace }) },
    ...(from === '' ? {} : { from }),
    file: found.source,
    line: found.line,
    volume,
    volumeMount,
    files: files.map(({ path, presence }) => ({ path, presence })),
  };
}
