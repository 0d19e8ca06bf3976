/**
 * Collects the changes of a stream and the classes that are added, and writes the stream. Called by the filter
 * `render --into`. A document that cannot be changed becomes an error.
 */

import { printClass } from '../print.ts';
import type { Remark } from '../remark.ts';
import { classOf, type RenderedVolume } from '../volume.ts';
import type { Change } from './changes.ts';
import { joinDocuments } from './join.ts';
import { withPathOf } from './krm.ts';
import type { InputDocument, InputManifest, InputSource } from './manifests.ts';
import { rewrite } from './rewrite.ts';

/** The output of the filter for its sources. */
export class Output {
  readonly #inputs: readonly InputSource[];
  readonly #printed: ReadonlySet<InputDocument>;
  /** Classes of resources that are not printed follow this document. */
  readonly #last: InputDocument;
  readonly #changes = new Map<InputDocument, readonly Change[]>();
  /** The classes that follow each document. */
  readonly #beside = new Map<InputDocument, readonly string[]>();
  /** The numbers of items of the lists that classes were added to. */
  readonly #lengths = new Map<InputDocument, number>();

  constructor(inputs: readonly InputSource[]) {
    this.#inputs = inputs;
    const documents = inputs.flatMap((input) => input.documents);
    this.#printed = new Set(documents);
    this.#last = documents.at(-1) ?? { text: '', length: 0 };
  }

  /** Adds changes, whose paths are those of the document. */
  change(document: InputDocument, changes: readonly Change[]): void {
    this.#changes.set(document, [...(this.#changes.get(document) ?? []), ...changes]);
  }

  /** Adds a class: as an item of the list that its resource is in, or behind the document of the resource. */
  addClass(rendered: RenderedVolume, { document, data }: InputManifest): void {
    const target = this.#printed.has(document) ? document : this.#last;
    if (target.list === undefined) {
      this.#beside.set(target, [...(this.#beside.get(target) ?? []), printClass(rendered)]);
      return;
    }
    const index = this.#lengths.get(target) ?? target.length;
    this.#lengths.set(target, index + 1);
    this.change(target, [{ op: 'add', path: ['items', index], value: withPathOf(classOf(rendered), data) }]);
  }

  /** Returns the text of the stream, and an error for each document that cannot be changed. */
  write(): { readonly text: string; readonly problems: readonly Remark[] } {
    const problems: Remark[] = [];
    const sources = this.#inputs.map(({ source, documents, manifests }) =>
      documents.map((document) => {
        const text = this.#textOf(document);
        if (text === undefined) {
          const line = manifests.find((manifest) => manifest.document === document)?.line ?? 1;
          const message = 'the document cannot be changed; write it in block style, without anchors and merges';
          problems.push({ severity: 'error', source: source.name, line, message });
        }
        return { text: text ?? '', added: this.#beside.get(document) ?? [] };
      }),
    );
    const isEmpty = this.#printed.size === 0;
    const alone = isEmpty ? [[{ text: '', added: this.#beside.get(this.#last) ?? [] }]] : [];
    return { text: joinDocuments([...sources, ...alone]), problems };
  }

  #textOf(document: InputDocument): string | undefined {
    const changes = this.#changes.get(document) ?? [];
    return changes.length === 0 ? document.text : rewrite(document.text, changes);
  }
}
