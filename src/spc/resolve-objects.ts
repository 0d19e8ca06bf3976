import { type ClaimedPath, pathConflicts } from './file-path.ts';
import type { Findings } from './finding.ts';
import type { ContentSpec, ObjectSpec, OutputSpec } from './model.ts';
import type { NamedObject } from './objects.ts';

/** Versions of one object whose paths are compared with those of other objects. */
const MAX_CLAIMED_VERSIONS = 100;

/** Turns names of other objects (`passwordFrom`) into their indexes and reports paths that collide. */
export function resolveObjects(named: readonly NamedObject[], findings: Findings): readonly ObjectSpec[] {
  const objects = named.map((object) => {
    const { spec } = object;
    if (spec.content.kind === 'value') return spec;
    const find = (name: string, path: string, line: number) => findSecret(name, named, { findings, path, line });
    const outputs: readonly OutputSpec[] = object.outputs.map(({ field, line, ...output }) => ({
      ...output,
      passwordFrom: find(output.passwordFrom, field, line),
    }));
    const content: ContentSpec = {
      ...spec.content,
      outputs,
      passwordFrom: find(object.passwordFrom, `${object.path}.passwordFrom`, object.line),
    };
    return { ...spec, content };
  });
  reportConflicts(objects, findings);
  return objects;
}

/** Reports every pair of paths that cannot stand side by side. */
export function reportConflicts(objects: readonly ObjectSpec[], findings: Findings): void {
  const claims = objects.flatMap((object) => claimedPaths(object));
  for (const { path, message } of pathConflicts(claims)) findings.error(path, message);
}

function claimedPaths({ label, history, content }: ObjectSpec): readonly ClaimedPath[] {
  const claim = (path: string): ClaimedPath => ({ path, owner: label });
  if (content.kind === 'outputs') return content.outputs.map(({ path }) => claim(path));
  if (content.path === '') return [];
  if (history <= 1) return [claim(content.path)];
  return Array.from({ length: Math.min(history, MAX_CLAIMED_VERSIONS) }, (_, i) => claim(`${content.path}/${i}`));
}

function findSecret(
  name: string,
  named: readonly NamedObject[],
  { findings, path, line }: { findings: Findings; path: string; line: number },
): number | undefined {
  if (name === '') return undefined;
  const index = named.findIndex(
    ({ spec }) => spec.type === 'secret' && spec.name === name && spec.content !== undefined,
  );
  if (index !== -1) return index;
  findings.error(
    path,
    `${path}: passwordFrom "${name}" names no secret of this mount; add an object with objectType: secret and ` +
      `objectName: ${name} (with "files: {}" it is read and not written)`,
    line,
  );
  return undefined;
}
