/**
 * Reads the parameter `templates` and looks up its references among the objects of the manifest. Called by the reader of
 * parameters after it has read them. The text is remembered, its references are looked up each time.
 */

import { Findings } from './finding.ts';
import type { TemplateSpec } from './model.ts';
import type { ParameterReader, ReadText } from './parameter-reader.ts';
import { resolveTemplates, type TemplateSurroundings } from './resolve-templates.ts';
import { type NamedTemplate, parseTemplates, TEMPLATES } from './templates.ts';

/** The templates of a text, whose references are names. */
interface ReadTemplates extends ReadText {
  readonly named: readonly NamedTemplate[];
}

/** Returns the templates; `fileMode` is the permission of those that name none. Throws: LanguagesNeeded. */
export function readTemplates(
  reader: ParameterReader,
  { fileMode, ...others }: TemplateSurroundings & { readonly fileMode: number },
): readonly TemplateSpec[] {
  const { named } =
    reader.text(TEMPLATES) === '' ? { named: [] } : reader.readText(TEMPLATES, { mode: fileMode }, readText);
  return resolveTemplates(named, others, reader.findings);
}

function readText(text: string, settings: { readonly mode: number; readonly firstLine: number }): ReadTemplates {
  const findings = new Findings();
  return { named: parseTemplates(text, findings, settings), objects: [], selections: [], findings };
}
