import { describe, expect, it } from 'vitest';
import { block, CLASSIC, read, SECRET } from '../support/spc.ts';

const warningsOf = (field: string) => {
  const { volume, warnings, notes } = read({ ...CLASSIC, objects: block(`${SECRET}\n${field}: x`) });
  return { mounts: volume !== undefined, warnings, notes };
};

describe('fields that look like those of an object', () => {
  it.each([
    ['alias', 'objectAlias'],
    ['secretAlias', 'objectAlias'],
    ['fileName', 'objectAlias'],
    ['filename', 'objectAlias'],
    ['path', 'objectAlias'],
    ['name', 'objectName'],
    ['secretName', 'objectName'],
    ['objectname', 'objectName'],
    ['objctName', 'objectName'],
    ['type', 'objectType'],
    ['version', 'objectVersion'],
    ['secretVersion', 'objectVersion'],
    ['format', 'objectFormat'],
    ['encoding', 'objectEncoding'],
    ['fileEncoding', 'objectEncoding'],
    ['permission', 'filePermission'],
    ['objectPermission', 'filePermission'],
    ['fileMode', 'filePermission'],
    ['mode', 'filePermission'],
    ['versionHistory', 'objectVersionHistory'],
  ])('%s is %s', (field, meant) => {
    const { mounts, warnings, notes } = warningsOf(field);
    expect(mounts).toBe(true);
    expect(notes).toEqual([]);
    expect(warnings).toEqual([
      expect.stringContaining(`objects[0].${field} is unknown and ignored; did you mean "${meant}"?`),
    ]);
  });

  it.each([
    ['version', 'the current version is mounted, not this one'],
    ['alias', 'the file is called by objectName'],
    ['permission', 'the file has the permission of the driver'],
  ])('%s says what is lost', (field, result) => {
    expect(warningsOf(field).warnings[0]).toMatch(new RegExp(`Without it ${result}$`));
  });

  it.each(['description', 'owner', 'constructor', '__proto__', 'env'])('%s is a note', (field) => {
    const { mounts, warnings, notes } = warningsOf(field);
    expect({ mounts, warnings }).toEqual({ mounts: true, warnings: [] });
    expect(notes).toEqual([expect.stringContaining(`objects[0].${field} is unknown and ignored; known here: `)]);
  });
});
