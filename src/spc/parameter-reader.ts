import { ProviderError } from '../base/errors.ts';
import { parseGoBoolean } from '../base/go.ts';
import { misspelt, nearest, quote } from '../base/words.ts';
import { type Attributes, lengthProblem, type NodePublishSecret } from './attributes.ts';
import { type Cloud, type CloudFile, resolveCloud } from './cloud.ts';
import { Findings, type Stage } from './finding.ts';
import { FLAGGED_ROWS, IDENTITY_PARAMETERS, type IdentityRequest, NAMED_ROWS } from './identities/table.ts';
import { requestProblem, resolveIdentity } from './identity.ts';
import { identityHint } from './identity-names.ts';
import type { Identity, ObjectSpec } from './model.ts';
import type { ObjectDefaults } from './object.ts';
import { clientIdDoubt, placeholderIn, withPlaceholder } from './placeholder.ts';

/** Path of findings about what came with the request, not about the manifest. */
export const CREDENTIALS = 'credentials';

/** What the program's flags and environment say where a manifest does not. */
export interface ParameterDefaults {
  /** `--cloud-name`. */
  readonly cloudName: string;
  /** `--construct-pem-chain`. */
  readonly orderChain: boolean;
  /** `--write-cert-and-key-in-separate-files`. */
  readonly split: boolean;
}

/** What came with the request; absent where a manifest is checked without one. */
export interface RequestFacts {
  readonly secret: NodePublishSecret | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Permission bits of files that name none. */
  readonly mode: number;
}

/** Lines on which the texts of parameters begin in their manifest, for findings. */
export type ParameterLines = ReadonlyMap<string, number>;

/**
 * Gives what was read of an equal text before, or calls `read`; the key says what was read, and how. Nobody may change
 * what comes from it.
 */
export type Remember = <T extends ReadText>(key: string, read: () => T) => T;

/** What was read of one text of a manifest, and everything that is to be said of it. */
export interface ReadText {
  readonly objects: readonly ObjectSpec[];
  readonly findings: Findings;
}

/** Inputs of `parseParameters` beside the attributes. */
export interface ParameterContext {
  readonly defaults: ParameterDefaults;
  readonly request?: RequestFacts;
  /** What was read of the file that describes the cloud, where one is named. */
  readonly cloudFile?: CloudFile | undefined;
  readonly lines?: ParameterLines;
  /** Default: each text is read anew. */
  readonly remember?: Remember;
}

/** Names of the classic form's parameters, those among them that have no effect here included. */
export const CLASSIC_NAMES: readonly string[] = [
  'keyvaultName',
  'tenantID',
  'tenantId',
  'cloudName',
  'cloudEnvFileName',
  ...IDENTITY_PARAMETERS,
  'objects',
  'resourceGroup',
  'subscriptionId',
];

/** Names of the `keyVault` form's parameters. */
export const KEY_VAULT_NAMES: readonly string[] = [
  'keyVault',
  'fileLayout',
  'certificateUse',
  'fileName',
  'filePermission',
  'cloudName',
  'cloudEnvFileName',
];

const ALL_NAMES = [...CLASSIC_NAMES, ...KEY_VAULT_NAMES];

/** Of a parameter that is no text of objects: names, IDs, flags and paths. */
const MAX_VALUE_BYTES = 4096;
/** Parameters with limits of their own. */
const TEXTS: readonly string[] = ['objects', 'keyVault'];

/** Unknown parameters that are compared with those of identities, and hints that are shown, where there is no identity. */
const MAX_UNKNOWN = 100;
const MAX_HINTS = 3;

const BESIDE_MANAGED = 'it has a meaning beside useVMManagedIdentity: "true" only; set that, too';

/** Reads single parameters and reports on them. */
export class ParameterReader {
  readonly findings = new Findings();
  readonly #attributes: Attributes;
  readonly #context: ParameterContext;

  constructor(attributes: Attributes, context: ParameterContext) {
    this.#attributes = attributes;
    this.#context = context;
  }

  /** What `read` makes of the text of a parameter under these settings, with its findings. */
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

  /** Reports values that are longer than any that has a meaning; true where there are some. */
  refuseLong(): boolean {
    const tooLong = ALL_NAMES.filter((name) => !TEXTS.includes(name)).flatMap((name) => {
      const problem = lengthProblem(this.text(name), MAX_VALUE_BYTES);
      return problem === undefined ? [] : [{ name, problem }];
    });
    for (const { name, problem } of tooLong) this.error(name, `${name} ${problem}`, 'parameters');
    return tooLong.length > 0;
  }

  /** Reports that a parameter is not there, with the misspelt one that may be meant to be it. */
  missing(name: string, message: string): void {
    const typo = misspelt(name, this.#names(), ALL_NAMES);
    const hint = typo === undefined ? '' : `; did you mean it by ${quote(typo)}?`;
    this.findings.error(name, `${message}${hint}`, { line: this.line(typo ?? name), stage: 'parameters' });
  }

  /** The client ID of the identity that the parameters ask for: one that nobody filled in is refused. */
  clientId(name: string): string {
    const text = this.text(name);
    if (text === '') return text;
    if (placeholderIn(text) !== undefined) {
      this.error(name, `failed to get keyvault client: ${name} ${quote(text)} is no client ID`, 'client');
      return text;
    }
    const doubt = clientIdDoubt(text);
    if (doubt !== undefined) this.warning(name, `${name} ${quote(text)} ${doubt}`);
    return text;
  }

  /** Notes the placeholders of parameters that have no effect as they are, or that others refuse. */
  notePlaceholders(): void {
    const told = new Set(this.findings.all.map(({ path }) => path));
    for (const name of CLASSIC_NAMES) {
      const text = TEXTS.includes(name) || told.has(name) ? '' : this.text(name);
      if (placeholderIn(text) !== undefined) this.note(name, withPlaceholder(`${name} is ${quote(text)}`, text));
    }
  }

  /** A boolean as Go reads it; anything else is an error. */
  flag(name: string): boolean {
    const text = this.text(name);
    const value = parseGoBoolean(text);
    if (value === undefined && text !== '') {
      const reason = `strconv.ParseBool: parsing ${quote(text)}: invalid syntax; write "true" or "false"`;
      this.error(name, `failed to parse ${name} flag, error: ${reason}`, 'parameters');
    }
    return value === true;
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

  identity(request: IdentityRequest, tenantId: string): Identity | undefined {
    const problem = requestProblem(request);
    if (problem !== undefined) {
      this.error('clientID', problem, 'parameters');
      return undefined;
    }
    const facts = this.#context.request;
    if (facts === undefined) return undefined;
    const { pod, tokens } = this.#attributes;
    const { secret, now } = facts;
    const ignored = secret === undefined && request.kind === 'service-principal' ? this.ignoredIdentities() : [];
    const resolved = resolveIdentity(request, { tenantId, pod, tokens, secret, now, ignored });
    if (resolved.ok) return resolved.identity;
    this.error(CREDENTIALS, resolved.message, resolved.stage);
    return undefined;
  }

  objectDefaults(mode?: number): ObjectDefaults {
    const { orderChain, split } = this.#context.defaults;
    return { mode: mode ?? this.#context.request?.mode ?? 0o644, orderChain, split };
  }

  /**
   * Reports the parameters that the classic form does not know: a warning where one was meant to name the identity, and
   * nothing else does.
   */
  reportUnknown(): void {
    for (const name of this.#unknown(CLASSIC_NAMES)) {
      if (!this.#standsIn(name)) this.#reportOneUnknown(name);
    }
    if (this.text('userAssignedIdentityID') !== '' && !this.#namesIdentity()) {
      this.warning('userAssignedIdentityID', `userAssignedIdentityID is ignored: ${BESIDE_MANAGED}`);
    }
  }

  #reportOneUnknown(name: string): void {
    const besideKeyVault = `parameter "${name}" stands beside keyVault only; it is ignored`;
    const identity = identityHint(name);
    const near = identity === undefined ? nearest(name, ALL_NAMES) : undefined;
    const hint = identity ?? (near === undefined ? undefined : `did you mean ${quote(near)}?`);
    const message = `parameter ${quote(name)} is unknown and ignored${hint === undefined ? '' : `; ${hint}`}`;
    if (KEY_VAULT_NAMES.includes(name)) this.note(name, besideKeyVault);
    else if (identity !== undefined && !this.#namesIdentity()) this.warning(name, message);
    else this.note(name, message);
  }

  /** Whether an unknown parameter is named by the error about the one that is missing. */
  #standsIn(name: string): boolean {
    const missing = ['keyvaultName', 'objects', ...(this.text('tenantId') === '' ? ['tenantID'] : [])];
    return missing.some((one) => this.text(one) === '' && misspelt(one, this.#names(), ALL_NAMES) === name);
  }

  /** What the request ignores and was meant to name the identity, with what to do, such as `"clientId" is ignored: …`. */
  ignoredIdentities(): readonly string[] {
    const unknown = this.#unknown(CLASSIC_NAMES).slice(0, MAX_UNKNOWN);
    const hints = unknown.flatMap((name) => {
      const hint = identityHint(name);
      return hint === undefined ? [] : [`parameter ${quote(name)} is ignored: ${hint}`];
    });
    const alone = this.text('userAssignedIdentityID') !== '' && hints.length === 0;
    return alone ? [`userAssignedIdentityID is ignored: ${BESIDE_MANAGED}`] : hints.slice(0, MAX_HINTS);
  }

  /** Refuses the parameters that the `keyVault` form does not know, but for those reported already. */
  refuseUnknown(reported: readonly string[]): void {
    for (const name of this.#unknown([...KEY_VAULT_NAMES, ...reported])) {
      const near = CLASSIC_NAMES.includes(name) ? undefined : nearest(name, KEY_VAULT_NAMES);
      const rule = `beside keyVault stand only ${KEY_VAULT_NAMES.slice(1).join(', ')}`;
      this.error(name, `parameter ${quote(name)} is unknown; ${near === undefined ? rule : `did you mean "${near}"?`}`);
    }
  }

  /** Whether the manifest names an identity of its own, so that no service principal is needed. */
  #namesIdentity(): boolean {
    const flagged = FLAGGED_ROWS.some(({ flag }) => parseGoBoolean(this.text(flag)) === true);
    return flagged || NAMED_ROWS.some(({ text }) => this.text(text) !== '');
  }

  #names(): readonly string[] {
    return [...this.#attributes.parameters.keys()];
  }

  /** Names with a domain (`example.com/x`) are volume attributes of others and none of our business. */
  #unknown(known: readonly string[]): readonly string[] {
    return this.#names().filter((name) => !known.includes(name) && !name.includes('/') && name !== 'providerName');
  }
}
