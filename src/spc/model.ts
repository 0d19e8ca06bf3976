/**
 * The types in which both forms of parameters end: `VolumeSpec` and its parts. Made by `parameters.ts` and used by
 * every later step of a Mount, none of which knows the form that a manifest has.
 */

import type { ObjectType } from '../base/objects.ts';
import type { KeyFormat, OutputKind, Pkcs12Profile } from '../pki/outputs.ts';
import type { Pod } from './attributes.ts';
import type { Cloud } from './cloud.ts';
import type { Expression } from './expression.ts';
import type { Identity } from './identities/table.ts';
import type { FilterName } from './template-filters.ts';

export type { Identity };

/** One file made from a certificate. */
export interface OutputSpec {
  readonly output: OutputKind;
  readonly path: string;
  readonly mode: number;
  /**
   * The content of the object decides whether the file is written. `if-present`: no file if the content has nothing to
   * write; `with-key`: only if the object holds a private key; `beside-key`: required, but like `if-present` if the
   * object holds a private key.
   */
  readonly presence: 'required' | 'if-present' | 'with-key' | 'beside-key';
  readonly keyFormat: KeyFormat;
  readonly pfxForm: Pkcs12Profile;
  /** Index of the object whose value is the password of a written PFX or truststore. */
  readonly passwordFrom: number | undefined;
}

/** A file with a part of a JSON or YAML value, or with `{key}` in its path one file for each key of that part. */
export interface ExtractSpec {
  readonly path: string;
  /** True if the path holds `{key}`. */
  readonly each: boolean;
  readonly expression: Expression;
  readonly mode: number;
  /** True: no file if the expression finds nothing. */
  readonly optional: boolean;
}

/** The files that are made of an object's value. */
export type ContentSpec =
  /** One file, as the official provider writes it: certificates as PEM; `split` adds `.crt` and `.key` beside it. */
  | {
      readonly kind: 'value';
      readonly path: string;
      readonly mode: number;
      /** Empty if the manifest does not say. */
      readonly format: '' | 'pem' | 'pfx';
      readonly encoding: 'utf-8' | 'base64' | 'hex';
      readonly split: boolean;
      readonly orderChain: boolean;
    }
  /** Files with parts of a JSON or YAML value. */
  | {
      readonly kind: 'parts';
      readonly encoding: 'utf-8' | 'base64' | 'hex';
      readonly parts: readonly ExtractSpec[];
      /** The file with the value itself; undefined: none. */
      readonly whole: { readonly path: string; readonly mode: number } | undefined;
    }
  /** Chosen files; the value is a certificate with its key, or a chain. */
  | {
      readonly kind: 'outputs';
      /** `chain`: a secret of CA certificates; all of them are its `ca`. */
      readonly role: 'certificate' | 'chain';
      readonly outputs: readonly OutputSpec[];
      /**
       * True for a client's certificate: missing alternative names give no warning, since servers identify a client by
       * its subject.
       */
      readonly forClient: boolean;
      /** True if the reader of the files must present a certificate: missing `with-key` files give a warning. */
      readonly needsKey: boolean;
      /** Index of the object whose certificates complete the chain. */
      readonly chainFrom: number | undefined;
      /** Index of the object whose value opens a PFX or an encrypted key. */
      readonly passwordFrom: number | undefined;
    };

/** The file for what the vault says about an object. */
export interface MetadataFile {
  readonly path: string;
  readonly mode: number;
}

/** What becomes of the files of an object that may be missing. */
export type IfMissing =
  /** No file. */
  | { readonly kind: 'skip' }
  /** The object's one file, without content. */
  | { readonly kind: 'empty' }
  /** The object's one file, with this text. */
  | { readonly kind: 'default'; readonly text: string };

/** The vault of an object that is not in the volume's own. It is in the same cloud. */
export interface ObjectVault {
  readonly name: string;
  /** Empty: the tenant of the volume. */
  readonly tenantId: string;
  /** Names of vaults that are asked, in this order, while this one is away; empty: none. */
  readonly fallbackVaults: readonly string[];
}

/**
 * What is done about an object whose dates do not hold now. `previous`: the newest version that is valid is taken, and
 * without one the Mount fails.
 */
export type Validity = 'ignore' | 'warn' | 'enforce' | 'previous';

/** One object to read, and the files to make of it. */
export interface ObjectSpec {
  /** The object in the words of an error message. */
  readonly label: string;
  readonly type: ObjectType;
  readonly name: string;
  /** Empty: the current version. */
  readonly version: string;
  /** Number of versions, from the named or current one back; 1 is that version alone. */
  readonly history: number;
  readonly content: ContentSpec;
  /** Absent: the object is required. */
  readonly ifMissing?: IfMissing | undefined;
  /** True: the files of the object's content are not written; templates read them. */
  readonly templateOnly?: boolean | undefined;
  /** Absent: no such file. Each version of a history has one, as `<path>/<index>`. */
  readonly metadata?: MetadataFile | undefined;
  /** Absent: the vault of the volume. */
  readonly vault?: ObjectVault | undefined;
  /** Absent: the dates of the object are not looked at. */
  readonly validity?: Validity | undefined;
}

/** A tag that an object must have. */
export interface TagRule {
  readonly name: string;
  /** A glob. */
  readonly value: string;
}

/** The objects of a vault that are chosen by name and tags. */
export interface SelectionSpec {
  /** The selection in the words of an error message. */
  readonly label: string;
  /** The field that selects. */
  readonly by: string;
  /** Globs, of which one has to match; empty: every name. */
  readonly names: readonly string[];
  /** All of them have to match. */
  readonly tags: readonly TagRule[];
  /** Stands for each object: it has no name, and its paths hold `{name}`. */
  readonly pattern: ObjectSpec;
}

/** The value of a secret, or a part of it, by the path of its file. */
export interface TemplateRef {
  /** Index of the object. */
  readonly object: number;
  /** Path of the file, without the index of a version. */
  readonly path: string;
}

/** What a template may write of the entry that a loop is at. */
export type EntryPart = 'name' | 'value' | 'key';

/** A piece of a template. `name` is a reference. */
export type TemplateToken =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly name: string; readonly filters: readonly FilterName[] }
  | { readonly kind: 'entry'; readonly part: EntryPart; readonly filters: readonly FilterName[] }
  /** Written if the reference is there, or with `not` if it is not there. */
  | { readonly kind: 'if'; readonly name: string; readonly not: boolean; readonly tokens: readonly TemplateToken[] }
  /** Written for each entry that is there. */
  | { readonly kind: 'loop'; readonly tokens: readonly TemplateToken[] };

/** A file that is made of the texts of several secrets. */
export interface TemplateSpec {
  /** The file in the words of an error message. */
  readonly label: string;
  readonly path: string;
  readonly mode: number;
  readonly body:
    | { readonly kind: 'tokens'; readonly tokens: readonly TemplateToken[] }
    | { readonly kind: 'dotenv' | 'properties' | 'json' };
  /** What a format lists, and a loop goes through. */
  readonly entries: readonly { readonly name: string; readonly key: string; readonly ref: TemplateRef }[];
  /** The references of the tokens. */
  readonly refs: ReadonlyMap<string, TemplateRef>;
  /** A digest of everything that the manifest says about the file. */
  readonly digest: string;
}

/** A file whose content is in the manifest itself; no vault is asked for it. */
export interface LiteralFile {
  /** The field in the words of an error message. */
  readonly label: string;
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

/** The content of a volume: the one typed value in which both forms of parameters end. */
export interface VolumeSpec {
  readonly pod: Pod;
  readonly secretProviderClass: string;
  readonly cloud: Cloud;
  /** The tenant the manifest names; empty: the vault is asked for it. */
  readonly tenantId: string;
  readonly identity: Identity;
  readonly vaultName: string;
  /** `https://<name>.<suffix>`, without a trailing slash. */
  readonly vaultUrl: string;
  /** Names of vaults of the same tenant that are asked, in this order, while the volume's vault is away. Absent: none. */
  readonly fallbackVaults?: readonly string[] | undefined;
  readonly objects: readonly ObjectSpec[];
  /** Absent: none. */
  readonly selections?: readonly SelectionSpec[] | undefined;
  readonly literals: readonly LiteralFile[];
  /** Absent: none. */
  readonly templates?: readonly TemplateSpec[] | undefined;
  /** How old a value may be at a Mount, in milliseconds; undefined: as old as the flags of the provider allow. */
  readonly maxAgeMs?: number | undefined;
}
