/**
 * The types of the scanner's tokens, and the options that it takes. Used by the scanner and by the reader of documents.
 */

import type { Mark } from './yaml-source.ts';

/** The kind of a token. */
export type TokenKind =
  | 'stream end'
  | 'version directive'
  | 'tag directive'
  | 'document start'
  | 'document end'
  | 'block sequence start'
  | 'block mapping start'
  | 'block end'
  | '['
  | ']'
  | '{'
  | '}'
  | ','
  | '-'
  | 'key'
  | 'value'
  | 'alias'
  | 'anchor'
  | 'tag'
  | 'scalar';

/** One token. */
export interface Token {
  readonly kind: TokenKind;
  readonly mark: Mark;
  /** The offset behind its last character; if the token is indentation, the offset of its mark. */
  readonly end: number;
  /**
   * Text of a scalar, name of an anchor or alias, suffix of a tag, prefix of a tag directive, version of a directive.
   */
  readonly text: string;
  /** Handle of a tag or tag directive. */
  readonly handle: string;
  readonly style: 'plain' | 'quoted' | 'block';
}

/** Options for reading a text. */
export interface TokenOptions {
  /** Allows the escapes that JSON has beyond YAML. */
  readonly json: boolean;
  /**
   * Whose reader it is. The official provider's looks two tokens ahead, and so refuses some texts for what follows
   * their first document; and it takes tabs before comments that stand below other comments.
   */
  readonly reader: 'provider' | 'kubectl';
}
