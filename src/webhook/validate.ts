/**
 * Answers the reviews of SecretProviderClasses and broker resources with the parser of the provider. Called by
 * `server.ts` for `/validate`. Only mistakes that the provider, the driver or the API server would refuse deny an
 * object; operations that do not change its specification are allowed.
 */

import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, type JsonLimits, type JsonObject, jsonExcess } from '../base/json.ts';
import { findKeyVaults } from '../render/find.ts';
import { textAt } from '../render/into/data.ts';
import { prepare } from '../render/prepare.ts';
import { fieldPathOf } from '../render/remarks.ts';
import { type CheckContext, checkManifests } from '../spc/check.ts';
import type { CloudFile } from '../spc/cloud.ts';
import type { Finding } from '../spc/finding.ts';
import { withLanguages } from '../spc/languages.ts';
import { isPlaceholder } from '../spc/placeholder.ts';
import { messageOfAll, warningsOf } from './messages.ts';
import { ALLOWED, BadReview, type Review, subjectOf, type Verdict } from './review.ts';

/** What is done about mistakes: the object is denied, or allowed with warnings. */
export type Action = 'deny' | 'warn';

/** Settings of {@link validate}. */
export interface Validation extends CheckContext {
  readonly action: Action;
}

/**
 * Stands in for the file of a custom cloud, which is on the nodes only. Its contents decide nothing that is checked here.
 */
export const STAND_IN_CLOUD: CloudFile = {
  name: '',
  text: '{"activeDirectoryEndpoint":"https://login.example","keyVaultDNSSuffix":"vault.example"}',
};

/** The group of SecretProviderClasses. */
export const CLASS_GROUP = 'secrets-store.csi.x-k8s.io';

/** The mistakes of an object that deny it, and those that do not. Each is a sentence with the whole path of its field. */
interface Mistakes {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * The parser is bounded by what a Mount takes, and an object of the API server may be larger. One that is too large to be
 * checked within the time of a review is allowed with a warning.
 */
const CHECKED_LIMITS: JsonLimits = { bytes: 320 * 1024, entries: 2_000, depth: 60 };

/** With it begins the path of a finding in a field of a broker resource, such as `keyVault.vault.name`. */
const ROOT = 'keyVault';
const CHECKED_OPERATIONS: readonly string[] = ['CREATE', 'UPDATE'];
/** Fields that an author does not write; a change of one of them is not checked. */
const NOT_CHECKED: readonly string[] = ['metadata', 'status'];

/** Answers a review. Throws: {@link BadReview} for a creation or change without an object. */
export async function validate(review: Review, validation: Validation): Promise<Verdict> {
  const { operation, subResource, object, oldObject, group, kind } = review;
  if (!CHECKED_OPERATIONS.includes(operation) || subResource !== '') return ALLOWED;
  if (object === undefined) throw new BadReview(`request.object is required for ${operation}`);
  if (operation === 'UPDATE' && oldObject !== undefined && isDeepStrictEqual(written(object), written(oldObject)))
    return ALLOWED;
  const subject = subjectOf(review);
  const text = JSON.stringify({ ...written(object), metadata: namesOf(review, object) });
  const excess = jsonExcess(text, CHECKED_LIMITS);
  if (excess !== undefined) return { warnings: warningsOf(subject, [`is not checked, because ${excess}`]) };
  const isClass = group === CLASS_GROUP && kind === 'SecretProviderClass';
  const mistakes = isClass ? await classMistakes(text, validation) : await withLanguages(() => brokerMistakes(text));
  return verdictOf(subject, mistakes, validation.action);
}

function verdictOf(subject: string, { errors, warnings }: Mistakes, action: Action): Verdict {
  if (action === 'warn' || errors.length === 0) return { warnings: warningsOf(subject, [...errors, ...warnings]) };
  const refusal = { code: 422, reason: 'Invalid', message: messageOfAll(subject, errors) };
  return { refusal, warnings: warningsOf(subject, warnings) };
}

async function classMistakes(text: string, validation: Validation): Promise<Mistakes> {
  const { findings, manifests } = await checkManifests(text, validation);
  const all = [...findings, ...manifests.flatMap((manifest) => manifest.findings)];
  const ofSeverity = (wanted: Finding['severity']) =>
    all.filter(({ severity }) => severity === wanted).map((finding) => sentenceOf(finding, parameterField));
  return { errors: ofSeverity('error'), warnings: ofSeverity('warning') };
}

function brokerMistakes(text: string): Mistakes {
  const { found, remarks } = findKeyVaults({ name: '', text });
  const errors: string[] = [];
  const warnings: string[] = [];
  for (const { severity, message } of remarks) if (severity === 'error') errors.push(message);
  for (const one of found) {
    const field = fieldPathOf(one);
    const fieldOf = (path: string) => (path.startsWith(ROOT) ? `${field}${path.slice(ROOT.length)}` : field);
    for (const finding of prepare(one, {}).field.findings) {
      // `render` takes a placeholder for one that is filled in later. Here, nothing fills it in any more.
      const isNotable =
        finding.severity === 'warning' || isPlaceholder(textAt({ [ROOT]: one.data }, finding.path.split('.')));
      if (finding.severity === 'error') errors.push(sentenceOf(finding, fieldOf));
      else if (isNotable) warnings.push(sentenceOf(finding, fieldOf));
    }
  }
  return { errors, warnings };
}

/** Returns the message of a finding, with the whole path of its field in front. */
function sentenceOf({ path, message }: Finding, fieldOf: (path: string) => string): string {
  if (path === '') return message;
  return message.startsWith(path) ? `${fieldOf(path)}${message.slice(path.length)}` : `${fieldOf(path)}: ${message}`;
}

/** Returns the path in the SecretProviderClass of a path that begins with a parameter. */
function parameterField(path: string): string {
  return /^(spec|metadata)\b/.test(path) ? path : `spec.parameters.${path}`;
}

/** Returns the parts of an object that its author writes. */
function written(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !NOT_CHECKED.includes(name)));
}

/** Returns the metadata that is checked. The API server makes a name of `generateName` later. */
function namesOf(review: Review, object: JsonObject): JsonObject {
  const { name, generateName } = isJsonObject(object.metadata) ? object.metadata : {};
  const generated = typeof generateName === 'string' && generateName !== '' ? `${generateName}x` : undefined;
  return { name: name ?? generated, ...(review.namespace === '' ? {} : { namespace: review.namespace }) };
}
