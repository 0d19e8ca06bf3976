import { ProviderError } from '../base/errors.ts';
import { nearest } from '../base/words.ts';
import type { Attributes, NodePublishSecret } from './attributes.ts';
import { type Cloud, resolveCloud } from './cloud.ts';
import { Findings } from './finding.ts';
import { type IdentityRequest, resolveIdentity } from './identity.ts';
import type { Identity } from './model.ts';
import type { ObjectDefaults } from './objects.ts';

/** Path of findings about what came with the request, not about the manifest. */
export const CREDENTIALS = 'credentials';

/** What the program's flags and environment say where a manifest does not. */
export interface ParameterDefaults {
  /** `--cloud-name`. */
  readonly cloudName: string;
  /** `AZURE_ENVIRONMENT_FILEPATH`; empty where it is not set. */
  readonly cloudFile: string;
  /** `--construct-pem-chain`. */
  readonly orderChain: boolean;
  /** `--write-cert-and-key-in-separate-files`. */
  readonly split: boolean;
  /** Reads a text file; throws what `node:fs` throws. */
  readonly readFile: (path: string) => string;
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

/** Inputs of `parseParameters` beside the attributes. */
export interface ParameterContext {
  readonly defaults: ParameterDefaults;
  readonly request?: RequestFacts;
  readonly lines?: ParameterLines;
}

/** Reads single parameters and reports on them. */
export class ParameterReader {
  readonly findings = new Findings();
  readonly #attributes: Attributes;
  readonly #context: ParameterContext;

  constructor(attributes: Attributes, context: ParameterContext) {
    this.#attributes = attributes;
    this.#context = context;
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

  /** Line on which the text of a parameter begins; 1 where the manifest is not at hand. */
  textLine(name: string): number {
    return this.line(name) ?? 1;
  }

  error(name: string, message: string): void {
    this.findings.error(name, message, this.line(name));
  }

  /** A boolean as Go reads it; anything else is an error. */
  flag(name: string): boolean {
    const text = this.text(name);
    if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
    if (text !== '' && !/^(0|f|F|FALSE|false|False)$/.test(text)) {
      this.error(
        name,
        `failed to parse ${name} flag, error: strconv.ParseBool: parsing "${text}": invalid syntax; write "true" or "false"`,
      );
    }
    return false;
  }

  checkVaultName(path: string, name: string, prefix: string): void {
    if (name.length < 3 || name.length > 24) {
      this.error(path, `${prefix}Invalid vault name: "${name}", must be between 3 and 24 chars`);
    } else if (!/^[-A-Za-z0-9]+$/.test(name)) {
      this.error(path, `${prefix}Invalid vault name: "${name}", must match [-a-zA-Z0-9]{3,24}`);
    }
  }

  checkTenant(path: string, tenantId: string): void {
    if (/^[-A-Za-z0-9.]+$/.test(tenantId)) return;
    this.error(path, `tenant ID "${tenantId}" must be a GUID or a domain name: letters, digits, "." and "-"`);
  }

  cloud(): Cloud | undefined {
    const { cloudName, cloudFile, readFile } = this.#context.defaults;
    try {
      return resolveCloud({
        name: this.text('cloudName') || cloudName,
        file: this.text('cloudEnvFileName') || cloudFile,
        readFile,
      });
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      this.error('cloudName', error.message);
      return undefined;
    }
  }

  identity(request: IdentityRequest, tenantId: string): Identity | undefined {
    const facts = this.#context.request;
    if (facts === undefined) return undefined;
    const { pod, tokens } = this.#attributes;
    const resolved = resolveIdentity(request, tenantId, { pod, tokens, secret: facts.secret, now: facts.now });
    if (resolved.ok) return resolved.identity;
    this.error(CREDENTIALS, resolved.message);
    return undefined;
  }

  objectDefaults(mode?: number): ObjectDefaults {
    const { orderChain, split } = this.#context.defaults;
    return { mode: mode ?? this.#context.request?.mode ?? 0o644, orderChain, split };
  }

  noteUnknown(known: readonly string[]): void {
    for (const name of this.#unknown(known)) {
      const near = nearest(name, known);
      const hint = near === undefined ? '' : `; did you mean "${near}"?`;
      this.findings.note(name, `parameter "${name}" is unknown and ignored${hint}`, this.line(name));
    }
  }

  refuseUnknown(known: readonly string[], reported: readonly string[]): void {
    for (const name of this.#unknown([...known, ...reported])) {
      const near = nearest(name, known);
      const hint =
        near === undefined ? `beside keyVault stand only ${known.slice(1).join(', ')}` : `did you mean "${near}"?`;
      this.error(name, `parameter "${name}" is unknown; ${hint}`);
    }
  }

  /** Names with a domain (`example.com/x`) are volume attributes of others and none of our business. */
  #unknown(known: readonly string[]): readonly string[] {
    return [...this.#attributes.parameters.keys()].filter(
      (name) => !known.includes(name) && !name.includes('/') && name !== 'providerName',
    );
  }
}
