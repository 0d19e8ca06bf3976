/**
 * Reads single parameters, with a finding for each mistake. Called by `parameters.ts`. Refuses values that are longer
 * than any that has a meaning, flags that are not booleans, and client IDs that are placeholders.
 */

import { ProviderError } from '../base/errors.ts';
import { DURATION_RULE, parseGoBoolean, parseGoDuration } from '../base/go.ts';
import { quote } from '../base/words.ts';
import { type Attributes, lengthProblem, type NodePublishSecret } from './attributes.ts';
import { type Cloud, type CloudFile, resolveCloud } from './cloud.ts';
import { Findings, type Stage } from './finding.ts';
import type { DeveloperLogin } from './identities/developer.ts';
import { type IdentityKind, type IdentityRequest, rowOf } from './identities/table.ts';
import { choiceOf, requestOfAccount, requestProblem, resolveIdentity, unservedProblem } from './identity.ts';
import type { Identity, ObjectSpec, SelectionSpec, Validity } from './model.ts';
import type { ObjectDefaults } from './object.ts';
import { ALL_NAMES, CLASSIC_NAMES, TEXTS } from './parameter-names.ts';
import { clientIdDoubt, placeholderIn, withPlaceholder } from './placeholder.ts';
import {
  ignoredIdentities,
  misspeltFor,
  type UnknownParameter,
  unknownBesideKeyVault,
  unknownInClassic,
} from './unknown-parameters.ts';
import { VALIDITY_FIELD, validityOf } from './validity.ts';

/** Path of findings about the request's credentials, not about the manifest. */
const CREDENTIALS = 'credentials';

/** Defaults from the program's flags and environment, for manifests that do not say. */
export interface ParameterDefaults {
  /** `--cloud-name`. */
  readonly cloudName: string;
  /** `--construct-pem-chain`. */
  readonly orderChain: boolean;
  /** `--write-cert-and-key-in-separate-files`. */
  readonly split: boolean;
}

/** Facts of the request; absent if a manifest is checked without a request. */
export interface RequestFacts {
  readonly secret: NodePublishSecret | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Permission bits of files that name none. */
  readonly mode: number;
  /** `--identity-modes`. Default: all. */
  readonly servedModes?: readonly IdentityKind[];
  /** `--service-account-lookup`. Default: false. */
  readonly accountLookup?: boolean;
  /** The login that takes the place of the identity that is asked for. Default: none. */
  readonly developer?: DeveloperLogin | undefined;
}

/** Lines on which the texts of parameters begin in their manifest, for findings. */
export type ParameterLines = ReadonlyMap<string, number>;

/**
 * Returns the earlier result for an equal key, or calls `read`. The key names the text and the settings. Callers must
 * not change the result.
 */
export type Remember = <T extends ReadText>(key: string, read: () => T) => T;

/** The objects of one text of a manifest, and the findings about it. */
export interface ReadText {
  readonly objects: readonly ObjectSpec[];
  readonly selections: readonly SelectionSpec[];
  readonly findings: Findings;
}

/** Inputs of `parseParameters` other than the attributes. */
export interface ParameterContext {
  readonly defaults: ParameterDefaults;
  readonly request?: RequestFacts;
  /** The content of the file that describes the cloud, if one is named. */
  readonly cloudFile?: CloudFile | undefined;
  readonly lines?: ParameterLines;
  /** Default: each text is read anew. */
  readonly remember?: Remember;
}

/** Length limit of names, IDs, flags and paths. */
const MAX_VALUE_BYTES = 4096;
/** Reads single parameters and reports on them. */
export class ParameterReader {
  readonly findings = new Findings();
  readonly #attributes: Attributes;
  readonly #context: ParameterContext;

  constructor(attributes: Attributes, context: ParameterContext) {
    this.#attributes = attributes;
    this.#context = context;
  }

  /** Returns the result of `read` for the text of a parameter, and adds its findings. */
  readText<S extends object, T extends ReadText>(
    name: string,
    settings: S,
    read: (text: string, settings: S & { readonly firstLine: number }) => T,
  ): T {
    const text = this.text(name);
    const all = { ...settings, firstLine: this.line(name) ?? 1 };
    const { remember = (_, make) => make() } = this.#context;
    const result = remember(`${name} ${JSON.stringify(all)} ${text}`, () => read(text, all));
    this.findings.include(result.findings);
    return result;
  }

  has(name: string): boolean {
    return this.#attributes.parameters.has(name);
  }

  text(name: string): string {
    return this.#attributes.parameters.get(name) ?? '';
  }

  line(name: string): number | undefined {
    return this.#context.lines?.get(name);
  }

  error(name: string, message: string, stage: Stage = 'never'): void {
    const told = withPlaceholder(message, TEXTS.includes(name) ? '' : this.text(name));
    this.findings.error(name, told, { line: this.line(name), stage });
  }

  warning(name: string, message: string): void {
    this.findings.warning(name, message, this.line(name));
  }

  note(name: string, message: string): void {
    this.findings.note(name, message, this.line(name));
  }

  /** Reports values that are longer than any valid one. Returns true if there are some. */
  refuseLong(): boolean {
    const tooLong = ALL_NAMES.filter((name) => !TEXTS.includes(name)).flatMap((name) => {
      const problem = lengthProblem(this.text(name), MAX_VALUE_BYTES);
      return problem === undefined ? [] : [{ name, problem }];
    });
    for (const { name, problem } of tooLong) this.error(name, `${name} ${problem}`, 'parameters');
    return tooLong.length > 0;
  }

  /** Reports a missing parameter, with the misspelt parameter that may be meant. */
  missing(name: string, message: string): void {
    const typo = misspeltFor(name, this.#attributes.parameters);
    const hint = typo === undefined ? '' : `; did you mean it by ${quote(typo)}?`;
    this.findings.error(name, `${message}${hint}`, { line: this.line(typo ?? name), stage: 'parameters' });
  }

  /** Reports a parameter that may be missing, if another one is a misspelling of it. Returns true if one is. */
  refuseMisspelt(name: string, message: string): boolean {
    if (misspeltFor(name, this.#attributes.parameters) === undefined) return false;
    this.missing(name, message);
    return true;
  }

  /** Returns the client ID of the identity; a placeholder is refused. */
  clientId(name: string): string {
    const text = this.text(name);
    if (text === '') return text;
    if (placeholderIn(text) !== undefined) {
      this.error(name, `failed to get keyvault client: ${name} ${quote(text)} is not a client ID`, 'client');
      return text;
    }
    const doubt = clientIdDoubt(text);
    if (doubt !== undefined) this.warning(name, `${name} ${quote(text)} ${doubt}`);
    return text;
  }

  /** Notes placeholders in parameters about which nothing has been reported yet. */
  notePlaceholders(): void {
    const told = new Set(this.findings.all.map(({ path }) => path));
    for (const name of CLASSIC_NAMES) {
      const text = TEXTS.includes(name) || told.has(name) ? '' : this.text(name);
      if (placeholderIn(text) !== undefined) this.note(name, withPlaceholder(`${name} is ${quote(text)}`, text));
    }
  }

  /** Returns a boolean as Go reads it; any other text is reported as an error. */
  flag(name: string): boolean {
    const text = this.text(name);
    const value = parseGoBoolean(text);
    if (value === undefined && text !== '') {
      const reason = `strconv.ParseBool: parsing ${quote(text)}: invalid syntax; write "true" or "false"`;
      this.error(name, `failed to parse ${name} flag, error: ${reason}`, 'parameters');
    }
    return value === true;
  }

  /** Returns the limit for the age of values, in milliseconds; undefined if the manifest sets none. */
  maxAge(): number | undefined {
    const text = this.text('maxAge');
    const value = parseGoDuration(text);
    if (value === undefined && text !== '')
      this.error('maxAge', `maxAge ${quote(text)} must be ${DURATION_RULE}; with 0s the vault is asked at each mount`);
    return value;
  }

  /** Returns what is done about objects whose dates do not hold, if they do not say. */
  validity(): Validity | undefined {
    const { validity, problem } = validityOf(this.text(VALIDITY_FIELD));
    if (problem !== undefined) this.error(VALIDITY_FIELD, `${VALIDITY_FIELD} ${problem}`);
    return validity;
  }

  cloud(): Cloud | undefined {
    const { defaults, cloudFile } = this.#context;
    try {
      return resolveCloud(this.text('cloudName') || defaults.cloudName, cloudFile);
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      this.error('cloudName', error.message, 'parameters');
      return undefined;
    }
  }

  identity(asked: IdentityRequest, tenantId: string): Identity | undefined {
    const problem = requestProblem(asked);
    if (problem !== undefined) this.error('clientID', problem, 'parameters');
    const facts = this.#context.request;
    if (facts === undefined) return undefined;
    const { secret, now, servedModes, accountLookup, developer } = facts;
    if (developer !== undefined)
      return problem === undefined ? { kind: 'developer', login: developer, tenantId } : undefined;
    const { pod, tokens, parameters } = this.#attributes;
    const ignored = secret === undefined && asked.kind === 'service-principal' ? ignoredIdentities(parameters) : [];
    const credentials = { tenantId, pod, tokens, secret, now, ignored, accountLookup };
    const request = requestOfAccount(asked, credentials);
    const resolved = resolveIdentity(request, credentials);
    if (servedModes !== undefined) {
      const kinds = resolved.ok ? [resolved.identity.kind] : rowOf(request).kinds;
      const choice = choiceOf(asked, this.#attributes);
      const unserved = unservedProblem(kinds, servedModes);
      if (unserved !== undefined) this.error(choice.path, `${choice.words} ${unserved}`);
    }
    if (problem !== undefined) return undefined;
    if (resolved.ok) return resolved.identity;
    this.findings.error(CREDENTIALS, resolved.message, { stage: resolved.stage, code: 'ERR_NO_CREDENTIALS' });
    return undefined;
  }

  objectDefaults(mode?: number): ObjectDefaults {
    const { orderChain, split } = this.#context.defaults;
    return { mode: mode ?? this.#context.request?.mode ?? 0o644, orderChain, split };
  }

  /** Reports the parameters that the classic form does not know; see {@link unknownInClassic}. */
  reportUnknown(): void {
    this.#report(unknownInClassic(this.#attributes.parameters));
  }

  /** Refuses the parameters that the `keyVault` form does not know, but for those reported already. */
  refuseUnknown(reported: readonly string[]): void {
    this.#report(unknownBesideKeyVault(this.#attributes.parameters, reported));
  }

  #report(unknown: readonly UnknownParameter[]): void {
    for (const { name, severity, message } of unknown) this[severity](name, message);
  }
}
