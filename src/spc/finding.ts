/** One thing to say about a manifest: an error refuses the mount, a warning and a note do not. */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'note';
  /** The field, such as `keyVault.vault.name` or `objects[0].filePermission`. */
  readonly path: string;
  /** A whole sentence: the field, what is wrong with its value, the rule, and the remedy. */
  readonly message: string;
  /** Line of the field, from 1, inside the text that holds it, where it is known. */
  readonly line?: number;
}

/**
 * When the official provider comes upon a mistake: while it reads parameters, parses objects, builds the vault's URL,
 * builds its client, or fetches. `never` is a mistake that it does not see.
 */
export type Stage = (typeof STAGES)[number];

const STAGES = ['parameters', 'objects', 'vault', 'client', 'fetch', 'never'] as const;

/** Where a mistake is, and when the official provider comes upon it (`never` unless said). */
export interface Place {
  readonly line?: number | undefined;
  readonly stage?: Stage;
}

/** Of each severity; what one text of thousands of mistakes gives beyond them helps nobody. */
const MAX_FINDINGS = 100;

/** Collects findings in the order in which they are made. */
export class Findings {
  readonly all: Finding[] = [];
  readonly #counts = { error: 0, warning: 0, note: 0 };
  readonly #stages = new Map<Finding, number>();

  error(path: string, message: string, { line, stage = 'never' }: Place = {}): void {
    const finding = this.#add('error', path, message, line);
    this.#stages.set(finding, STAGES.indexOf(stage));
  }

  warning(path: string, message: string, line?: number): void {
    this.#add('warning', path, message, line);
  }

  note(path: string, message: string, line?: number): void {
    this.#add('note', path, message, line);
  }

  /** Adds what others found. */
  include(others: Findings): void {
    for (const [finding, stage] of others.#stages) this.#stages.set(finding, stage);
    for (const finding of others.all) this.#show(finding);
  }

  /** In the order in which the official provider would come upon them, those that are ours alone last. */
  get errors(): readonly Finding[] {
    return [...this.#stages]
      .sort(([, a], [, b]) => a - b)
      .map(([finding]) => finding)
      .slice(0, MAX_FINDINGS);
  }

  /** Whether more of a severity would not be shown. */
  isFull(severity: Finding['severity']): boolean {
    return this.#counts[severity] >= MAX_FINDINGS;
  }

  #add(severity: Finding['severity'], path: string, message: string, line: number | undefined): Finding {
    const finding: Finding = { severity, path, message, ...(line === undefined ? {} : { line }) };
    this.#show(finding);
    return finding;
  }

  #show(finding: Finding): void {
    if (this.isFull(finding.severity)) return;
    this.#counts[finding.severity]++;
    this.all.push(finding);
  }
}
