/**
 * Makes the parameters of a SecretProviderClass from a `keyVault` field and its place. Called by `render`. Adds the
 * files of a certificate that is in `vaultSecret`, and nothing else. A field with mistakes is copied unchanged.
 */

import { isMap, parseDocument } from 'yaml';
import type { Finding } from '../spc/finding.ts';
import { certificateOutputs, type FileLayout } from '../spc/layouts.ts';
import { fillDirectoryId, type ReadField, readField } from './field.ts';
import type { FoundKeyVault } from './find.ts';
import { type FieldPlace, placeAt, type Role } from './roles.ts';

/** A field in the form that the provider gets. */
export interface Prepared {
  readonly found: FoundKeyVault;
  readonly place: FieldPlace;
  /** The text of the parameter `keyVault`. */
  readonly text: string;
  /** The parameters next to it, if they differ from the provider's defaults. */
  readonly siblings: Readonly<Record<string, string>>;
  readonly field: ReadField;
  /** True if the files of a certificate in `vaultSecret` were added to `text`. */
  readonly filesAdded: boolean;
  /** The key of {@link PrepareOptions.fileNames} that named the file. */
  readonly namedBy?: string;
}

/** Options of {@link prepare}. */
export interface PrepareOptions {
  /** Replaces a placeholder in `vault.directoryId`. */
  readonly directoryId?: string;
  /** File names of `vaultSecret`, by role or by `Kind/name/role`, instead of the names that the roles have. */
  readonly fileNames?: ReadonlyMap<string, string>;
}

/** Reads a field by its place. */
export function prepare(found: FoundKeyVault, { directoryId, fileNames = new Map() }: PrepareOptions): Prepared {
  const own = directoryId === undefined ? found.text : fillDirectoryId(found.text, directoryId);
  const place = placeAt(found.path);
  const read = readField(own, {});
  const { names, findings } = read;
  const { role } = place;
  const keys = [`${found.resource.kind}/${found.resource.name}/${role.name}`, role.name];
  const namedBy = takesFileName(role, names) ? keys.find((key) => fileNames.has(key)) : undefined;
  const chosen = namedBy === undefined ? {} : { fileName: fileNames.get(namedBy) ?? '' };
  const siblings = { ...siblingsOf(role, names), ...chosen };
  const isCertificate = names.includes('vaultSecret') && !names.includes('vaultCert') && !findings.some(isError);
  const text = role.kind === 'certificate' && isCertificate ? withFiles(own, role.layout, names.some(isChain)) : own;
  const isRead = text === own && Object.keys(siblings).length === 0;
  const field = isRead ? read : readField(text, siblings);
  const named = namedBy === undefined ? {} : { namedBy };
  if (text === own) return { found, place, text, siblings, field, filesAdded: false, ...named };
  const lines = new Map(findings.map(({ message, line }) => [message, line]));
  const located = field.findings.map(({ line: _, ...finding }): Finding => {
    const line = lines.get(finding.message);
    return line === undefined ? finding : { ...finding, line };
  });
  return { found, place, text, siblings, field: { ...field, findings: located }, filesAdded: true };
}

/** True for a field with a secret that becomes one file. */
export function takesFileName({ kind }: Role, names: readonly string[]): boolean {
  return kind !== 'certificate' && names.includes('vaultSecret');
}

function siblingsOf(role: Role, names: readonly string[]): Readonly<Record<string, string>> {
  if (role.kind === 'value' && names.includes('vaultSecret')) return { fileName: role.fileName };
  if (role.kind !== 'certificate') return {};
  const holdsCertificate = names.some((name) => name !== 'vaultSecret' && /^vaultC/.test(name));
  // With certificateUse, a chain secret alone without a private key is a warning. Other objects need the key anyway.
  if (role.use === 'server') return holdsCertificate && !names.some(isOwn) ? { certificateUse: 'server' } : {};
  return role.layout === 'client' && holdsCertificate ? { fileLayout: 'client' } : { certificateUse: 'client' };
}

/** Returns the text with the files of a certificate in `vaultSecret`; unchanged if it already has files. */
function withFiles(text: string, layout: FileLayout, besideChain: boolean): string {
  const document = parseDocument(text, { schema: 'failsafe' });
  const secret = document.get('vaultSecret', true);
  if (!isMap(secret) || secret.has('files')) return text;
  const files = certificateOutputs(layout, besideChain).map(({ output, path, presence }): [string, unknown] => [
    output,
    presence === 'required' ? path : { path, optional: 'true' },
  ]);
  secret.set('files', document.createNode(Object.fromEntries(files), { flow: true }));
  return document.toString({ lineWidth: 0 });
}

function isError({ severity }: Finding): boolean {
  return severity === 'error';
}

function isOwn(name: string): boolean {
  return name === 'vaultSecret' || name === 'vaultCert';
}

function isChain(name: string): boolean {
  return name.startsWith('vaultCaChain');
}
