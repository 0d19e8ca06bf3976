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

/** Collects findings in the order in which they are made. */
export class Findings {
  readonly all: Finding[] = [];

  error(path: string, message: string, line?: number): void {
    this.#add('error', path, message, line);
  }

  warning(path: string, message: string, line?: number): void {
    this.#add('warning', path, message, line);
  }

  note(path: string, message: string, line?: number): void {
    this.#add('note', path, message, line);
  }

  get errors(): readonly Finding[] {
    return this.all.filter(({ severity }) => severity === 'error');
  }

  #add(severity: Finding['severity'], path: string, message: string, line: number | undefined): void {
    this.all.push({ severity, path, message, ...(line === undefined ? {} : { line }) });
  }
}
