import { describe, expect, it } from 'vitest';
import { block, objectsError, objectsOf } from '../support/spc.ts';

describe('paths that collide are refused, naming both objects', () => {
  const object = (name: string, more = '') => `objectName: ${name}\nobjectType: secret\n${more}`;
  const a = 'objects[0] (objectType:secret, objectName:a, objectVersion:)';
  const b = 'objects[1] (objectType:secret, objectName:b, objectVersion:)';

  it.each([
    [
      'the same alias',
      [object('a', 'objectAlias: x'), object('b', 'objectAlias: x')],
      `file "x" is written by both ${a} and ${b}`,
    ],
    ['an alias and a name', [object('a'), object('b', 'objectAlias: a')], `file "a" is written by both ${a} and ${b}`],
    [
      'a file and its directory',
      [object('a'), object('b', 'objectAlias: a/b')],
      `"a" is a file of ${a} and a directory of ${b} ("a/b")`,
    ],
    [
      'a directory and its file',
      [object('a', 'objectAlias: x/y/z'), object('b', 'objectAlias: x')],
      `"x" is a file of ${b} and a directory of ${a}`,
    ],
    [
      'version history and an alias',
      [object('a', 'objectVersionHistory: 3'), object('b', 'objectAlias: a/2')],
      `file "a/2" is written by both ${a} and ${b}`,
    ],
    [
      'version history and a file',
      [object('a', 'objectVersionHistory: 3'), object('b', 'objectAlias: a')],
      `"a" is a file of ${b} and a directory of ${a}`,
    ],
    [
      'two histories, once',
      [object('a', 'objectVersionHistory: 3\nobjectAlias: x'), object('b', 'objectVersionHistory: 9\nobjectAlias: x')],
      `file "x/0" is written by both ${a} and ${b}`,
    ],
  ])('%s', (_, items, message) => expect(objectsError(block(...items))).toContain(message));

  it('the same object twice under one path', () => {
    expect(objectsError(block(object('a'), object('a')))).toContain(
      'both objects[0] (objectType:secret, objectName:a, objectVersion:) and objects[1] (objectType:secret, objectName:a,',
    );
  });

  it.each([
    ['the same object under two paths', [object('a'), object('a', 'objectAlias: b')]],
    ['neighbours in a directory', [object('a', 'objectAlias: x/a'), object('b', 'objectAlias: x/b')]],
    ['names that begin alike', [object('a', 'objectAlias: x'), object('b', 'objectAlias: x.y/z')]],
    ['behind the version history', [object('a', 'objectVersionHistory: 3'), object('b', 'objectAlias: a/3')]],
  ])('but not %s', (_, items) => expect(objectsOf(block(...items))).toHaveLength(2));
});
