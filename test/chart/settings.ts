// The table of the chart's values: settings.yaml, which the templates read.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { chartDir } from './helm.ts';

/** Type, default and rule of a value. */
export interface Rule {
  readonly type: string;
  readonly default: unknown;
  readonly pattern?: string;
  readonly oneOf?: readonly string[];
  /** The kinds of the parts of a map that the templates read, as Go names them. */
  readonly within?: Readonly<Record<string, string>>;
}

/** The values by their path, and the maps that have no other names. */
export interface Settings {
  readonly values: Readonly<Record<string, Rule>>;
  readonly sections: readonly string[];
}

export const settings = parse(readFileSync(join(chartDir, 'settings.yaml'), 'utf8')) as Settings;
