import { type ErrorCode, ProviderError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';

/** One object that could not be delivered. */
export interface FailedObject {
  readonly label: string;
  readonly error: ProviderError;
  /** Where its content stands, if it is a certificate's and somebody should look into it. */
  readonly content?: ContentPlace;
}

/** A secret of a vault; `version` is empty for the current one. */
export interface ContentPlace {
  readonly vaultName: string;
  readonly name: string;
  readonly version: string;
}

/** Codes by how much they say of what has to be done first; one error that stands for several takes the first of these. */
const PRECEDENCE: readonly ErrorCode[] = [
  'ERR_INTERNAL',
  'ERR_BAD_REQUEST',
  'ERR_BAD_PARAMETERS',
  'ERR_NO_CREDENTIALS',
  'ERR_SETUP',
  'ERR_AUTHENTICATION',
  'ERR_FORBIDDEN',
  'ERR_DISABLED',
  'ERR_NOT_FOUND',
  'ERR_BAD_CONTENT',
  'ERR_TOO_LARGE',
];

/**
 * One error that names every failed object; objects that failed for the same reason share its text.
 * A Mount is all or nothing, so this is its answer as soon as one object fails.
 */
export function failuresError(failed: readonly FailedObject[], total: number): ProviderError {
  const byReason = new Map<string, string[]>();
  for (const { label, error } of failed) {
    const labels = byReason.get(error.message);
    if (labels === undefined) byReason.set(error.message, [label]);
    else labels.push(label);
  }
  const reasons = [...byReason].map(([reason, labels]) => `failed to get ${labels.join(' and ')}: ${reason}`);
  const text =
    reasons.length === 1 ? (reasons[0] ?? '') : reasons.map((reason, index) => `(${index + 1}) ${reason}`).join('; ');
  const pointer = failed.map(inspectionOf).find((command) => command !== '') ?? '';
  const count = total > 1 ? `${failed.length} of ${total} objects: ` : '';
  const errors = failed.map(({ error }) => error);
  const leading = leadingError(errors);
  return new ProviderError(
    leading?.code ?? 'ERR_INTERNAL',
    `failed to mount objects, error: ${count}${text}${pointer}`,
    {
      errors,
      details: leading?.details ?? {},
    },
  );
}

/** How to see what is wrong with a content: nothing of it touches a disk, and no key is printed. */
function inspectionOf({ content }: FailedObject): string {
  if (content === undefined) return '';
  const { vaultName, name, version } = content;
  // They go into somebody's shell.
  if (![vaultName, name, `${version}-`].every((word) => /^[-0-9A-Za-z]+$/.test(word))) return '';
  const pinned = version === '' ? '' : ` --version ${version}`;
  const read = `az keyvault secret show --vault-name ${vaultName} --name ${name}${pinned} --query value -o tsv`;
  return `; to see what is in "${name}": ${read} | akv-csi inspect -`;
}

function leadingError(errors: readonly ProviderError[]): ProviderError | undefined {
  for (const code of PRECEDENCE) {
    const error = errors.find((one) => one.code === code);
    if (error !== undefined) return error;
  }
  return errors[0];
}

/**
 * The error that a Mount ends with; its message is printable and stands on one line, whatever manifest, vault and Entra
 * put into it. What is no `ProviderError` is a defect of ours; its own text might quote a value, so it is kept as the
 * cause only.
 */
export function asProviderError(reason: unknown): ProviderError {
  if (reason instanceof ProviderError) {
    const message = printable(reason.message);
    if (message === reason.message) return reason;
    const { code, details, errors, cause } = reason;
    return new ProviderError(code, message, { details, errors, cause });
  }
  return new ProviderError('ERR_INTERNAL', 'the provider failed unexpectedly; its log says more', { cause: reason });
}
