/**
 * Collects the findings about a manifest: errors, warnings and notes with their field and line. Every reader of
 * parameters adds to it; parameters.ts makes one error of it, and `check` prints it. Findings beyond a limit are
 * not shown.
 */

import type { ErrorCode } from '../base/errors.ts';

/** One finding about a manifest: an error refuses the mount, a warning and a note do not. */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'note';
  /** The field, such as `keyVault.vault.name` or `objects[0].filePermission`. */
  readonly path: string;
  /** A whole sentence: the field, what is wrong with its value, the rule, and the remedy. */
  readonly message: string;
  /** Line of the field, from 1, in the text that holds it; absent if it is not known. */
  readonly line?: number;
}

/**
 * The step in which the official provider finds a mistake: it reads parameters, parses objects, builds the vault's URL,
 * builds its client, or fetches. `never`: it does not find the mistake.
 */
export type Stage = (typeof STAGES)[number];

const STAGES = ['parameters', 'objects', 'vault', 'client', 'fetch', 'never'] as const;

/** The line of a mistake, the step in which the official provider finds it (`never` by default), and its error code. */
export interface FindingPlace {
  readonly line?: number | undefined;
  readonly stage?: Stage;
  /** Default: ERR_BAD_PARAMETERS. */
  readonly code?: ErrorCode;
}

/** Findings of each severity that are shown. More are not useful, and a hostile text can cause thousands. */
const MAX_FINDINGS = 100;

/** Collects findings in the order in which they are made. */
export class Findings {
  readonly all: Finding[] = [];
  readonly #counts = { error: 0, warning: 0, note: 0 };
  readonly #stages = new Map<Finding, number>();
  readonly #codes = new Set<ErrorCode>();

  error(
    path: string,
    message: string,
    { line, stage = 'never', code = 'ERR_BAD_PARAMETERS' }: FindingPlace = {},
  ): void {
    const finding = this.#add('error', path, message, line);
    this.#stages.set(finding, STAGES.indexOf(stage));
    this.#codes.add(code);
  }

  warning(path: string, message: string, line?: number): void {
    this.#add('warning', path, message, line);
  }

  note(path: string, message: string, line?: number): void {
    this.#add('note', path, message, line);
  }

  /** Adds the findings of another collection. */
  include(others: Findings): void {
    for (const [finding, stage] of others.#stages) this.#stages.set(finding, stage);
    for (const code of others.#codes) this.#codes.add(code);
    for (const finding of others.all) this.#show(finding);
  }

  /** The errors in the order in which the official provider finds them; those that it does not find come last. */
  get errors(): readonly Finding[] {
    return [...this.#stages]
      .sort(([, a], [, b]) => a - b)
      .map(([finding]) => finding)
      .slice(0, MAX_FINDINGS);
  }

  /** The code that all errors share, else ERR_BAD_PARAMETERS. */
  get code(): ErrorCode {
    const [code = 'ERR_BAD_PARAMETERS', ...others] = this.#codes;
    return others.length === 0 ? code : 'ERR_BAD_PARAMETERS';
  }

  /** True if more findings of a severity would not be shown. */
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
